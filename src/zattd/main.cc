// SPDX-License-Identifier: AGPL-3.0-or-later
// zattd: one node as a process.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/narrow.h"
#include "base/version.h"
#include "config/config_file.h"
#include "kv/store.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "server/posix_disk.h"
#include "server/server.h"
#include "zattd/help.h"
#include "zattd/log.h"
#include "zattd/notify.h"
#include "zattd/options.h"

namespace zatt {
namespace {

enum Exit : int { stopped = 0, bad_options = 2, cannot_listen = 3, bad_storage = 4 };

std::optional<std::string> environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

// Each connection is a descriptor; the usual soft limit of 1024 is for programs that use select().
void raise_file_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int complain(const Error& error) {
  std::fprintf(stderr, "zattd: %s\n", to_string(error).c_str());
  return Exit::bad_options;
}

int print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return Exit::stopped;
}

server::ClientLimits limits_of(const Settings& settings) {
  server::ClientLimits limits;
  limits.max_line_bytes = narrow<std::size_t>(settings.node.max_request_bytes);
  return limits;
}

class Daemon {
 public:
  explicit Daemon(const Settings& settings)
      : settings_(settings), log_(settings.node.id, settings.debug) {}

  int run() {
    auto created =
        server::Server::create(loop_, settings_.listen, limits_of(settings_),
                               {.log = log_, .on_stopped = [this](int code) { on_stopped(code); }});
    if (!created) return fail(created.error(), Exit::cannot_listen);
    server_ = std::move(*created);
    if (const Status opened = open_storage(); !opened)
      return fail(opened.error(), Exit::bad_storage);
    log_(node::LogLevel::info,
         "zattd " + std::string(version_text) + ": " + config::summary(settings_));
    const auto stop = [this] {
      notify(notify_socket_, "STOPPING=1");
      server_->stop();
    };
    term_ = std::make_unique<loop::Signal>(loop_, SIGTERM, stop);
    interrupt_ = std::make_unique<loop::Signal>(loop_, SIGINT, stop);
    if (const Status started = server_->start(); !started)
      return fail(started.error(), Exit::cannot_listen);
    notify(notify_socket_, "READY=1");
    loop_.run();
    close();
    if (exit_code_ == Exit::stopped) log_(node::LogLevel::info, "stopped");
    return exit_code_;
  }

 private:
  static constexpr std::uint64_t patience_ms = 500;

  Status open_storage() {
    auto disk = server::PosixDisk::open(settings_.node.storage);
    if (!disk) return disk.error();
    return server_->open(settings_.node, std::move(*disk), store_, &store_);
  }

  int fail(const Error& error, int code) {
    log_(node::LogLevel::error, to_string(error));
    exit_code_ = code;
    close();
    return exit_code_;
  }

  void on_stopped(int code) {
    exit_code_ = code;
    loop_.stop();
  }

  // What may remain is a disk that hangs, or a name look-up that no one answers: there is no
  // waiting for either.
  void close() {
    term_.reset();
    interrupt_.reset();
    if (server_ && !server_->wait_for_disk(patience_ms)) _exit(exit_code_);
    server_.reset();
    if (!loop_.drain(patience_ms)) _exit(exit_code_);
  }

  const Settings& settings_;
  const Log log_;
  const char* const notify_socket_ = std::getenv("NOTIFY_SOCKET");
  int exit_code_ = Exit::stopped;
  kv::Store store_;
  loop::Loop loop_;
  std::unique_ptr<loop::Signal> term_;
  std::unique_ptr<loop::Signal> interrupt_;
  std::unique_ptr<server::Server> server_;
};

int run(const std::vector<std::string>& arguments) {
  const auto settings = parse(arguments, environment, config::read_file);
  if (!settings) return complain(settings.error());
  switch (settings->action) {
    case Action::help:
      return print(help_text);
    case Action::version:
      return print("zattd " + std::string(version_text) + "\n");
    case Action::print_config:
      return print(printed_config(*settings));
    case Action::check_config:
      return print((settings->config.empty() ? "" : settings->config + ": ") +
                   "good: " + config::summary(*settings) + "\n");
    case Action::run:
      break;
  }
  signal(SIGPIPE, SIG_IGN);  // a log that nobody reads any more is no reason to end
  raise_file_limit();
  return Daemon(*settings).run();
}

}  // namespace
}  // namespace zatt

int main(int argc, char** argv) { return zatt::run({argv + 1, argv + argc}); }
