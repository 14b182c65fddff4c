// SPDX-License-Identifier: AGPL-3.0-or-later
// All that a node knows of the world.
//
// server/ makes it real with libuv, tests/sim/ makes it from a seed. Whatever a node does follows
// from the calls it gets (node.h) and the answers it gets here, byte for byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "codec/request.h"
#include "codec/response.h"
#include "storage/batch.h"

namespace zatt::node {

// One connection to a peer; never used twice.
enum class LinkId : std::uint64_t { none = 0 };
// One client: a connection, or this process; never used twice.
enum class ClientId : std::uint64_t {};

enum class LogLevel : std::uint8_t { error, warning, info, debug };

// Why a node does nothing any more.
enum class StopReason : std::uint8_t {
  asked,            // it was told to shut down
  storage_corrupt,  // while it ran, its own files were not as it wrote them
  disk_failed,      // a write or sync failed
  refused,          // a majority of the members refuses it
};
constexpr std::string_view to_string(StopReason reason) {
  constexpr std::string_view texts[] = {"asked to", "corrupt storage", "a failed disk", "refused"};
  return texts[static_cast<std::size_t>(reason)];
}

struct PeerAddress {
  std::string id;
  Address address;
  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

// Bytes of responses.
struct Unread {
  std::uint64_t by_client = 0;
  std::uint64_t by_all = 0;
};

// Control frames (heartbeats, votes, read rounds) overtake bulk ones that still wait here.
enum class Priority : std::uint8_t { control, bulk };

class Env {
 public:
  Env() = default;
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;
  virtual ~Env() = default;

  virtual std::uint64_t now_us() = 0;   // monotonic
  virtual std::uint64_t wall_us() = 0;  // since 1970; may be wrong, and jump
  virtual std::uint64_t random() = 0;
  // Whether this turn of the loop has done its share of work. What is left goes on in the next one,
  // once what has arrived meanwhile is heard.
  virtual bool turn_is_over() = 0;

  // Runs the batch off this thread, then calls Node::on_disk. One at a time.
  virtual void submit(storage::Batch batch) = 0;
  // How many syncs of the batches submitted have succeeded, of the one under way too.
  virtual std::uint64_t finished_syncs() = 0;
  // Runs this one beside it, which only reads, then calls Node::on_read: in the order of the calls.
  virtual void read(storage::Batch batch) = 0;

  // The peers to be connected to: dial these, and dial again, with back-off, whenever a link ends.
  // Replaces the list before; links to peers no longer named stay until they end.
  virtual void dial(std::vector<PeerAddress> peers) = 0;
  // One whole frame. In order within its priority; may be lost with the link. A link over which the
  // peer takes nothing for a time ends, and so does one for which more than max_unsent_bytes wait:
  // what may be sent before it is answered is bounded far below that.
  virtual void send(LinkId link, Priority priority, std::string frame) = 0;
  // How many bytes of frames the connection has not taken yet. Once they were crowded_link_bytes or
  // more and have fallen below half of that, Node::flush is called.
  virtual std::uint64_t unsent_bytes(LinkId /*link*/) { return 0; }
  static constexpr std::uint64_t crowded_link_bytes = 256 << 10;
  static constexpr std::uint64_t max_unsent_bytes = 256 << 20;
  // Ends the link once what was sent is on its way; Node::on_link_down follows, from the loop.
  virtual void close_link(LinkId link) = 0;

  // What a request is answered with, in the order asked. Both are borrowed for the call. Nothing
  // happens where the client is gone.
  virtual void respond(ClientId client, const codec::Request& request,
                       const codec::Response& response) = 0;
  // How many bytes of responses this client and all together have not read yet, as far as that is
  // known here. Once this client's was 1 MiB or more and has fallen below half, Node::on_client_room
  // is called.
  virtual Unread unread(ClientId /*client*/) { return {}; }
  // Responses wait for room that others have: those who read nothing are to go.
  virtual void make_room() {}
  // The node has answered all that it will answer: close once it is written.
  virtual void close_client(ClientId client) = 0;
  // Whether more requests of this client are wanted now. Bytes already read are kept.
  virtual void want_requests(ClientId client, bool wanted) = 0;

  // One event, one line, for a person: what happened and what to do.
  virtual void log(LogLevel level, std::string_view line) = 0;

  // The node can't go on; nothing is said after it. Called once, never with StopReason::asked.
  virtual void stop(StopReason reason) = 0;
};

}  // namespace zatt::node
