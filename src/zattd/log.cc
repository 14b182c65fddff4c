// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/log.h"

#include <sys/stat.h>

#include <array>
#include <chrono>

#include "base/text.h"

namespace zatt {

std::string time_text(const std::tm& local, int ms) {
  std::array<char, 32> clock{};
  std::string text(clock.data(),
                   std::strftime(clock.data(), clock.size(), "%Y-%m-%dT%H:%M:%S", &local));
  const std::string digits = std::to_string(1000 + ms);
  text.append(".").append(digits, 1, 3);
  std::string offset(clock.data(), std::strftime(clock.data(), clock.size(), "%z", &local));
  if (offset.size() == 5) offset.insert(3, ":");
  return text + offset;
}

bool goes_to_journal(int fd, const char* journal_stream) {
  struct stat about {};
  if (journal_stream == nullptr || fstat(fd, &about) != 0) return false;
  return std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino) == journal_stream;
}

std::string log_line(std::string_view time, std::string_view id, node::LogLevel level,
                     std::string_view text) {
  std::string line(time);
  if (!line.empty()) line += ' ';
  line.append("[").append(id).append("] ");
  if (level == node::LogLevel::error) line += "error: ";
  if (level == node::LogLevel::debug) line += "debug: ";
  line += printable(text);
  line += '\n';
  return line;
}

void Log::operator()(node::LogLevel level, std::string_view text) const {
  if (level == node::LogLevel::debug && !debug_) return;
  std::string time;
  if (with_time_) {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    std::tm local{};
    localtime_r(&seconds, &local);
    const auto rest = now - std::chrono::system_clock::from_time_t(seconds);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(rest).count();
    time = time_text(local, static_cast<int>(ms));
  }
  sink_->write_line(log_line(time, id_, level, text));
}

}  // namespace zatt
