// SPDX-License-Identifier: AGPL-3.0-or-later
// Sends one request for each of several keys, many at once, and hands out the answers in order.
//
// After the first that fails no more are sent. A plain no (absent, a condition) is not one.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "cli/commands.h"

namespace zatt::cli {

class Batch {
 public:
  // What to do with an answer that is not an error; it returns what the command ends with.
  using OnAnswer = std::function<Exit(const std::string& key, const Reply& reply)>;
  Batch(Context& context, std::size_t total, OnAnswer on_answer, Json json = Json::a_line_each)
      : work_(context), total_(total), on_answer_(std::move(on_answer)), json_(json) {}

  // False: it was not sent, and no more are.
  bool send(const zatt_request& request);
  // Waits for all that was sent. The worst of what happened.
  Exit drain();
  // And says how far it came, where it did not come to its end.
  Exit end();

  Exit worst() const { return worst_; }
  bool is_stopped() const { return stopped_; }
  std::size_t unknown() const { return unknown_; }

 private:
  struct Slot {
    std::string key;
    std::size_t bytes;
    std::optional<Reply> reply;
  };
  bool has_room() const;
  void take_answers();
  void take(const std::string& key, const Reply& reply);
  void count(Exit code);
  std::string how_far() const;

  Context& work_;
  const std::size_t total_;
  const OnAnswer on_answer_;
  const Json json_;
  std::deque<Slot> under_way_;  // a deque: a slot stays where it is while others come and go
  std::size_t bytes_ = 0;
  std::size_t answered_ = 0;
  std::size_t unknown_ = 0;
  bool stopped_ = false;
  bool output_failed_ = false;
  Exit worst_ = Exit::done;
};

}  // namespace zatt::cli
