// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/log_sink.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <system_error>
#include <utility>

#include "loop/thread.h"

namespace zatt {
namespace {

// Somebody else may have made the descriptor non-blocking, for all who share it.
bool wait_for_room(int fd) {
  pollfd out = {fd, POLLOUT, 0};
  return poll(&out, 1, -1) == 1 || errno == EINTR;
}

// How much of it was written before an error. One write a line or more, so that lines of several
// processes do not mix.
std::size_t write_all(int fd, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = write(fd, bytes.data() + done, bytes.size() - done);
    if (put > 0) {
      done += static_cast<std::size_t>(put);
    } else if (put == 0 || (errno != EINTR && !(errno == EAGAIN && wait_for_room(fd)))) {
      break;
    }
  }
  return done;
}

std::uint64_t lines_in(std::string_view bytes) {
  return static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

}  // namespace

struct LogSink::Shared {
  explicit Shared(int to) : fd(to) {}

  std::string_view take();
  void write_out(std::string_view bytes);
  bool is_idle() const { return size == 0 && !writing; }

  const int fd;
  std::mutex mutex;
  std::condition_variable changed;
  bool has_thread = false;
  bool ended = false;
  bool writing = false;
  std::uint64_t dropped = 0;  // lines, not told yet
  std::uint64_t told = 0;     // of them, by the last line of what is being written
  std::size_t size = 0;
  std::array<char, buffer_bytes> buffer;       // NOLINT: not touched before there is a line
  std::array<char, buffer_bytes + 128> taken;  // NOLINT: the writer's, with a line on what is lost
};

// What there is, and how much was dropped after it. Under the mutex.
std::string_view LogSink::Shared::take() {
  std::size_t bytes = static_cast<std::size_t>(
      std::copy(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size), taken.begin()) -
      taken.begin());
  size = 0;
  if (dropped > 0) {
    const int said = std::snprintf(taken.data() + bytes, taken.size() - bytes,
                                   "zattd: %llu lines of this log were lost: nobody took them\n",
                                   static_cast<unsigned long long>(dropped));
    bytes += static_cast<std::size_t>(std::max(said, 0));
  }
  told = std::exchange(dropped, 0);
  return {taken.data(), bytes};
}

// Not under the mutex, but for the count of what could not be written.
void LogSink::Shared::write_out(std::string_view bytes) {
  const std::size_t done = write_all(fd, bytes);
  if (done == bytes.size()) return;
  const std::lock_guard lock(mutex);
  dropped += lines_in(bytes.substr(done)) + told - (told > 0 ? 1 : 0);
}

LogSink::LogSink(int fd) : shared_(std::make_shared<Shared>(fd)) {
  try {
    loop::quiet_thread([shared = shared_] { run(*shared); }).detach();
    shared_->has_thread = true;
  } catch (const std::system_error&) {  // no thread to be had: then lines are written as they come
  }
}

LogSink::~LogSink() {
  flush();
  const std::lock_guard lock(shared_->mutex);
  shared_->ended = true;
  shared_->changed.notify_all();
}

void LogSink::run(Shared& shared) noexcept {
  std::unique_lock lock(shared.mutex);
  while (true) {
    shared.changed.wait(lock, [&] { return shared.size > 0 || shared.ended; });
    if (shared.ended) return;
    const std::string_view bytes = shared.take();
    shared.writing = true;
    lock.unlock();
    shared.write_out(bytes);
    lock.lock();
    shared.writing = false;
    shared.changed.notify_all();
  }
}

void LogSink::write_line(std::string_view line) noexcept {
  Shared& shared = *shared_;
  if (!shared.has_thread) {
    write_all(shared.fd, line);
    return;
  }
  const std::lock_guard lock(shared.mutex);
  if (line.size() > buffer_bytes - shared.size) {
    ++shared.dropped;
    return;
  }
  line.copy(shared.buffer.data() + shared.size, line.size());
  shared.size += line.size();
  shared.changed.notify_all();
}

bool LogSink::flush(std::uint64_t ms) noexcept {
  Shared& shared = *shared_;
  std::unique_lock lock(shared.mutex);
  return shared.changed.wait_for(lock, std::chrono::milliseconds(ms),
                                 [&] { return shared.is_idle(); });
}

}  // namespace zatt
