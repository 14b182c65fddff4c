// SPDX-License-Identifier: AGPL-3.0-or-later
// The log: a line an event, on stderr, for people.
//
//   2026-11-24 03:14:07 [0] this node leads in term 3
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "node/env.h"
#include "zattd/log_sink.h"

namespace zatt {

// With its newline. Control characters, which a peer or a client may have sent, become '?'.
std::string log_line(const std::tm& time, std::string_view id, node::LogLevel level,
                     std::string_view text);

class Log {
 public:
  Log(LogSink& sink, std::string id, bool debug)
      : sink_(&sink), id_(std::move(id)), debug_(debug) {}
  void operator()(node::LogLevel level, std::string_view text) const;

 private:
  LogSink* sink_;
  std::string id_;
  bool debug_;
};

}  // namespace zatt
