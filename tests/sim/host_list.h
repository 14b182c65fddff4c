// SPDX-License-Identifier: AGPL-3.0-or-later
// A state machine as a host program may bring its own: a list. Each command is appended, and
// answered with its number.
//
// What is kept of a command is its checksum, which is enough to tell one list from another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/state_machine.h"

namespace zatt::sim {

class HostList final : public StateMachine {
 public:
  std::function<void(Index, std::uint64_t time_us, std::string_view command)> on_apply;

  std::uint64_t size() const { return items_.size(); }
  std::uint64_t state_hash() const { return hash_; }  // over all of it, in order

  void apply(Index index, std::uint64_t time_us, std::string_view command,
             std::string& reply) override {
    append(checksum(command, 0));
    reply = std::to_string(size());
    if (on_apply) on_apply(index, time_us, command);
  }

  // A snapshot: how many there are, each, and the hash over all.
  void begin_snapshot() override {
    snapshot_ = {size()};
    snapshot_.insert(snapshot_.end(), items_.begin(), items_.end());
    snapshot_.push_back(hash_);
    written_ = 0;
  }
  bool next_slice(std::size_t max_bytes, std::string& out) override {
    const std::size_t words = std::max<std::size_t>(1, max_bytes / word);
    const std::size_t end = std::min(snapshot_.size(), written_ + words);
    Writer writer(out);
    while (written_ < end) writer.u64(snapshot_[written_++]);
    return written_ < snapshot_.size();
  }
  void end_snapshot() override { snapshot_ = {}; }

  void begin_restore() override {
    items_ = snapshot_ = {};
    hash_ = empty_hash;
    size_ = written_hash_ = std::nullopt;
  }
  Status restore_slice(std::string_view slice) override {
    if (slice.size() % word != 0) return damaged();
    for (Reader reader(slice); reader.left() > 0;)
      if (!take(reader.u64())) return damaged();
    return ok;
  }
  Status end_restore() override {
    if (written_hash_ != hash_) return damaged();
    return ok;
  }

 private:
  static constexpr std::size_t word = 8;
  static constexpr std::uint64_t empty_hash = 1;

  void append(std::uint64_t item) {
    items_.push_back(item);
    hash_ = checksum_key(hash_, item);
  }
  bool take(std::uint64_t number) {
    if (written_hash_) return false;  // nothing stands behind it
    if (!size_)
      size_ = number;
    else if (size() < *size_)
      append(number);
    else
      written_hash_ = number;
    return true;
  }
  static Error damaged() { return {Code::corrupt, 0, "a list's snapshot does not add up", {}}; }

  std::vector<std::uint64_t> items_;
  std::uint64_t hash_ = empty_hash;
  std::vector<std::uint64_t> snapshot_;  // as it is written
  std::size_t written_ = 0;
  std::optional<std::uint64_t> size_, written_hash_;  // as they were restored
};

}  // namespace zatt::sim
