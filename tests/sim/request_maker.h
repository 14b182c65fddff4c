// SPDX-License-Identifier: AGPL-3.0-or-later
// What the simulated clients ask: reads and writes of few keys, each value only once, so that an
// answer says which write it has seen.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/prng.h"
#include "client/request.h"
#include "tests/sim/coverage.h"
#include "tests/sim/history.h"
#include "tests/sim/settings.h"

namespace zatt::sim {

class RequestMaker {
 public:
  // All are borrowed for its life.
  RequestMaker(const Settings& settings, Prng& prng, Coverage& coverage)
      : settings_(settings), prng_(prng), coverage_(coverage) {}

  // Notes in `op` what is asked.
  client::Request make(Op& op, std::uint64_t write_percent);
  // What is asked under settings.load, of which this is the number.
  client::Request make_load(Op& op, std::uint64_t number);
  // A client was told of this value: later conditions are made of it.
  void on_found(const Op& op);

 private:
  std::string draw_key();
  // `schedule` says which of the requests it is.
  void make_read(Op& op, client::Request& request, std::uint64_t schedule);
  void make_write(Op& op, client::Request& request, std::uint64_t schedule);
  void make_value(Op& op);
  void make_load_write(Op& op, client::Request& request, std::string key, std::uint64_t bytes);
  client::Condition make_condition(const Op& op);

  const Settings& settings_;
  Prng& prng_;
  Coverage& coverage_;
  std::uint64_t last_value_ = 0;
  std::map<std::string, std::pair<std::uint64_t, std::string>> last_seen_;
};

}  // namespace zatt::sim
