// SPDX-License-Identifier: AGPL-3.0-or-later
// Everything that one node says to another, and the bytes it is said in.
//
// A message is its kind (u8), then its fields, little-endian, in the order of the structs below; a
// byte string or list is behind its length (u32), a flag is a u8 of 0 or 1. The kinds' numbers
// stand in peer_message.cc and are never reused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/types.h"
#include "raft/configuration.h"
#include "raft/message.h"

namespace zatt::codec {

inline constexpr std::uint16_t lowest_version = 3;
inline constexpr std::uint16_t highest_version = 3;

// How far a directory is on its way into a cluster.
struct BootstrapState {
  ClusterId cluster{};              // 0: in none yet
  bool acted = false;               // it has been in a term: it has voted or taken entries
  bool asks = false;                // the sender wants to hear the receiver's
  std::vector<raft::Offer> offers;  // held ever, oldest first; empty once it has acted

  friend bool operator==(const BootstrapState&, const BootstrapState&) = default;
};

// The first message in each direction of a connection.
struct Hello {
  std::uint16_t lowest_version = codec::lowest_version;  // spoken: the highest common one is used
  std::uint16_t highest_version = codec::highest_version;
  MemberId server;
  std::string to;                // the id the caller dialed; empty in the answer
  Address address;               // where others dial the sender
  std::vector<std::string> ids;  // of the sender's configuration: compared while founding
  BootstrapState bootstrap_state;
  std::uint8_t authentication = 0;  // kind: none
  std::string proof;                // its bytes
};

// The connection ends with this: why, for the people on both sides.
struct Refused {
  enum class Why : std::uint8_t {
    other = 0,
    version = 1,
    identity = 2,  // another node than the one dialed, or two of one identity
    cluster = 3,   // another cluster's
    ids = 4,       // the configurations name different nodes
    twice = 5,     // its id runs already, in another process
  };
  Why why = Why::other;
  std::string text;
};

// A client's write on its way to the leader of `term`, and what became of it. A forward is answered
// with a refusal, or with `proposed`, and then once more when it has been decided.
struct Forward {
  std::uint64_t number = 0;  // ascending within a connection
  Term term{};
  bool grows = true;         // may need room: refused when disks are full
  std::string_view command;  // borrowed
  bool any_result = false;   // the sender cannot apply it itself: the result is sent, however large
};
// Longer results are not sent: who asked makes its own when it applies the entry.
inline constexpr std::size_t max_result_bytes = 256;
struct ForwardReply {
  enum class What : std::uint8_t {
    result = 0,     // committed and applied: `result` is the state machine's reply
    not_taken = 1,  // not the leader of that term: it may be sent to the one who is
    overloaded = 2,
    storage_full = 3,
    replaced = 4,  // another entry was committed in its place: it will never be
    proposed = 5,  // `count` of them, from `number` on, are the entries from `index` on
    applied = 6,   // as `result`, which is too long to be sent
  };
  std::uint64_t number = 0;
  What what = What::result;
  std::string_view result;   // borrowed
  Index index{};             // proposed, result, applied: of the command's entry
  std::uint32_t count = 1;   // proposed
  std::uint64_t credit = 0;  // bytes of forwards that may be undecided from now on; 0: as before
};

// From which index on may a read be answered?
struct ReadIndex {
  std::uint64_t number = 0;
  Term term{};
  bool to_log_end = false;
};
struct ReadIndexReply {
  std::uint64_t number = 0;
  bool confirmed = false;
  Term term{};
  Index index{};
  Index commit{};
};

using PeerMessage = std::variant<Hello, Refused, BootstrapState, raft::Message, Forward,
                                 ForwardReply, ReadIndex, ReadIndexReply>;

void encode(const Hello& hello, std::string& out);
void encode(const Refused& refused, std::string& out);
void encode(const BootstrapState& bootstrap_state, std::string& out);
void encode(const raft::Message& message, std::string& out);
void encode(const Forward& forward, std::string& out);
void encode(const ForwardReply& reply, std::string& out);
void encode(const ReadIndex& request, std::string& out);
void encode(const ReadIndexReply& reply, std::string& out);

// Strict: every byte accounted for, entries contiguous, in ascending terms and times and no larger
// than the log takes them, configurations whole. What views it holds are borrowed from `bytes`.
std::optional<PeerMessage> decode_peer_message(std::string_view bytes);

}  // namespace zatt::codec
