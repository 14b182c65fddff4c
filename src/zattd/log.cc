// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/log.h"

#include "base/printable.h"

namespace zatt {

std::string log_line(const std::tm& time, std::string_view id, node::LogLevel level,
                     std::string_view text) {
  char clock[32];
  const std::size_t size = std::strftime(clock, sizeof clock, "%Y-%m-%d %H:%M:%S", &time);
  std::string line(clock, size);
  line.append(" [").append(id).append("] ");
  if (level == node::LogLevel::error) line += "error: ";
  if (level == node::LogLevel::debug) line += "debug: ";
  line += printable(text);
  line += '\n';
  return line;
}

void Log::operator()(node::LogLevel level, std::string_view text) const {
  if (level == node::LogLevel::debug && !debug_) return;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  sink_->write_line(log_line(local, id_, level, text));
}

}  // namespace zatt
