// SPDX-License-Identifier: AGPL-3.0-or-later
// The log: a line an event, on stderr, for people.
//
//   2026-11-24T03:14:07.042+01:00 [0] this node leads, term 3
//
// Without the time where journald takes the lines, which adds its own.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "node/env.h"
#include "zattd/log_sink.h"

namespace zatt {

// ISO 8601, with milliseconds and the offset from UTC.
std::string time_text(const std::tm& local, int ms);

// `journal_stream`: the variable JOURNAL_STREAM, null where there is none. Whether it names what
// the descriptor is.
bool goes_to_journal(int fd, const char* journal_stream);

// With its newline. `time` may be empty. Control characters, which a peer or a client may have
// sent, become '?'.
std::string log_line(std::string_view time, std::string_view id, node::LogLevel level,
                     std::string_view text);

class Log {
 public:
  Log(LogSink& sink, std::string id, bool debug, bool with_time)
      : sink_(&sink), id_(std::move(id)), debug_(debug), with_time_(with_time) {}
  void operator()(node::LogLevel level, std::string_view text) const;

 private:
  LogSink* sink_;
  std::string id_;
  bool debug_;
  bool with_time_;
};

}  // namespace zatt
