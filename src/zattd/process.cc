// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/process.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <new>
#include <system_error>

#include "base/last_words.h"
#include "loop/memory.h"

namespace zatt {
namespace {

// Whatever is opened first would take their numbers, and be written to as if it were stderr.
void fill_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", O_RDWR) < 0 && open("/", O_RDONLY) < 0) return;
  }
}

// None of them says anything to a node, and most would end it. A pipe that nobody reads and a file
// that may not grow are errors of the call; a terminal that hangs up takes only the log with it.
void ignore_harmless_signals() {
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ, SIGALRM, SIGVTALRM, SIGPROF,
                           SIGIO, SIGPWR, SIGSTKFLT, SIGTTIN, SIGTTOU})
    signal(number, SIG_IGN);
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) signal(number, SIG_IGN);
}

// A parent's mask is inherited: a node that never hears SIGTERM could only be killed.
void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// Each connection is a descriptor; the usual soft limit of 1024 is for programs that use select().
void raise_file_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

// From whoever asked for it, and deep inside of anything: there is no going on from here.
[[noreturn]] void end_for_want_of_memory() {
  last_words(
      "zattd: out of memory. All keys and values are held in memory: give this node more of it "
      "(ulimit -v, MemoryMax=), or keep less. What was acknowledged is on disk.\n");
  _exit(Exit::out_of_memory);
}

// What nobody catches: the system has no thread to give (a thread's stack is memory, too).
[[noreturn]] void end_unexpectedly() {
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    end_for_want_of_memory();
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      last_words(
          "zattd: out of memory, or of threads: the system has none to give (ulimit -v, ulimit -u, "
          "MemoryMax=, TasksMax=).\n");
      _exit(Exit::out_of_memory);
    }
  } catch (...) {  // a bug of ours, which the core shows
  }
  last_words("zattd: a bug of ours: an exception that nobody expected.\n");
  std::abort();
}

// Before the libraries' own beginnings, which ask for memory, too.
void answer_for_memory() {
  std::set_new_handler(end_for_want_of_memory);
  std::set_terminate(end_unexpectedly);
}
[[gnu::section(".preinit_array"), gnu::used]] void (*const first_of_all)() = answer_for_memory;

// Large buffers go back to the machine as soon as they are freed. Left to itself the allocator keeps
// ever larger ones, and fragments.
void give_memory_back() {
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

}  // namespace

void prepare_process() {
  fill_standard_descriptors();
  ignore_harmless_signals();
  unblock_signals();
  raise_file_limit();
  loop::on_out_of_memory(end_for_want_of_memory);
  give_memory_back();
}

void stop_at_once_when_told() {
  const auto end = [](int) {
    say_at_once("zattd: stopped while it was starting\n");
    _exit(stopped);
  };
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGXCPU}) signal(number, end);
}

std::vector<std::string> environment_lines() {
  std::vector<std::string> lines;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) lines.emplace_back(*at);
  return lines;
}

}  // namespace zatt
