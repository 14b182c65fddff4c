// SPDX-License-Identifier: AGPL-3.0-or-later
// The words that every floor shares: numbers with a meaning, MemberId, Address, never_us.
//
// Each kind of number is a type of its own, so that swapping two does not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace zatt {

enum class Index : std::uint64_t {};  // a place in the log; 0 is before the first entry
enum class Term : std::uint64_t {};   // a term of leadership; 0 is before the first election

enum class WriteNumber : std::uint64_t {};  // one write of a node to its disk; 0: none
enum class BootId : std::uint64_t {};       // one start of a node's process; 0: not known
enum class ClusterId : std::uint64_t {};    // 0: none yet

template <class Number>
requires std::is_enum_v<Number>
constexpr std::uint64_t raw(Number number) { return static_cast<std::uint64_t>(number); }

constexpr Index operator+(Index index, std::uint64_t n) { return Index{raw(index) + n}; }
constexpr Index operator-(Index index, std::uint64_t n) { return Index{raw(index) - n}; }
constexpr std::uint64_t operator-(Index a, Index b) { return raw(a) - raw(b); }
constexpr WriteNumber operator+(WriteNumber write, std::uint64_t n) {
  return WriteNumber{raw(write) + n};
}
template <class Number>
requires std::is_enum_v<Number>
constexpr Number& operator++(Number& number) { return number = Number{raw(number) + 1}; }
constexpr Term operator+(Term term, std::uint64_t n) { return Term{raw(term) + n}; }

// A member as votes and acknowledgements count it: its id, and the random number that its storage
// directory got when it was made. A wiped directory under the same id is another MemberId.
struct MemberId {
  std::string id;
  std::uint64_t incarnation = 0;

  friend bool operator==(const MemberId&, const MemberId&) = default;
  friend std::strong_ordering operator<=>(const MemberId&, const MemberId&) = default;
};

struct Address {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const Address&, const Address&) = default;
  friend std::strong_ordering operator<=>(const Address&, const Address&) = default;
};

// Where a node is that nobody said otherwise of.
inline constexpr std::string_view default_host = "127.0.0.1";
inline constexpr std::uint16_t default_port = 5254;

// "host:port", with brackets around an IPv6 host.
inline std::string to_string(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

// A moment, in microseconds of any clock, that does not come; of what happened: it has not yet.
inline constexpr std::uint64_t never_us = UINT64_MAX;

// What a node's disk has room for: anything; nothing that grows; nothing but what the log itself
// needs. The numbers are in frames.
enum class DiskSpace : std::uint8_t { enough = 0, low = 1, full = 2 };

// What an entry of the log is for. The numbers are in files and frames and are never reused.
enum class EntryKind : std::uint8_t {
  noop = 1,           // a leader's first word in its term
  configuration = 2,  // who votes: raft/configuration.h
  command = 3,        // for the state machine
};

// Of an entry's body, on every node: a constant of the log's format.
inline constexpr std::size_t max_body_bytes = 16 << 20;

// An entry whose body somebody else owns: valid until the call it was handed to returns.
//
// time_us is the leader's wall clock when it appended the entry, in microseconds since 1970, and
// never less than that of the entry before; 0 in the first configuration, which no leader appended.
struct EntryView {
  Index index{};
  Term term{};
  std::uint64_t time_us = 0;
  EntryKind kind = EntryKind::noop;
  std::string_view body;
};

struct Entry {
  Index index{};
  Term term{};
  std::uint64_t time_us = 0;
  EntryKind kind = EntryKind::noop;
  std::string body;

  EntryView view() const { return {index, term, time_us, kind, body}; }
  friend bool operator==(const Entry&, const Entry&) = default;
};
inline Entry owned(const EntryView& view) {
  return {view.index, view.term, view.time_us, view.kind, std::string(view.body)};
}

}  // namespace zatt
