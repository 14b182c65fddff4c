// SPDX-License-Identifier: AGPL-3.0-or-later
// zattd: one node as a process.
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/last_words.h"
#include "base/version.h"
#include "config/config_file.h"
#include "kv/machine.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "node/service.h"
#include "server/descriptors.h"
#include "server/own_store.h"
#include "server/posix_disk.h"
#include "server/server.h"
#include "zattd/help.h"
#include "zattd/log.h"
#include "zattd/log_sink.h"
#include "zattd/notify.h"
#include "zattd/options.h"
#include "zattd/port_range.h"
#include "zattd/process.h"

namespace zatt {
namespace {

std::optional<std::string> environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

LogSink* own_sink = nullptr;

int report_error(LogSink& sink, const Error& error) {
  sink.write_line("zattd: " + to_string(error) + "\n");
  return Exit::bad_options;
}

int print(LogSink& sink, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0) return Exit::stopped;
  sink.write_line("zattd: cannot write to standard output: " + loop::error_text(errno) + "\n");
  return Exit::output_failed;
}

// Good enough to start with, and worth a line.
std::vector<std::string> what_is_odd(const Settings& settings) {
  std::vector<std::string> odd = odd_environment(environment_lines());
  if (std::string port = odd_port(settings.listen.port); !port.empty())
    odd.push_back(std::move(port));
  return odd;
}

int exit_code_of(node::StopReason reason) {
  switch (reason) {
    case node::StopReason::asked:
      return Exit::stopped;
    case node::StopReason::storage_corrupt:
      return Exit::bad_storage;
    case node::StopReason::refused:
      return Exit::refused;
    case node::StopReason::disk_failed:
      break;
  }
  return Exit::disk_failed;
}

class Daemon {
 public:
  Daemon(const Settings& settings, LogSink& sink)
      : settings_(settings),
        log_(sink, settings.node.id, settings.debug,
             !goes_to_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"))) {}

  int run() {
    stop_at_once_when_told();
    auto created = server::Server::create(
        loop_, settings_.listen, server::ClientLimits::of(settings_.node),
        {.log = log_, .on_stopped = [this](node::StopReason reason) { on_stopped(reason); }});
    if (!created) return fail(created.error(), Exit::cannot_listen);
    server_ = std::move(*created);
    if (const Status opened = open_storage(); !opened)
      return fail(opened.error(), Exit::bad_storage);
    log_(node::LogLevel::info,
         "zattd " + std::string(version_text) + ": " + config::summary(settings_));
    for (const std::string& odd : what_is_odd(settings_)) log_(node::LogLevel::warning, odd);
    const auto stop = [this] {
      notify(notify_socket_, "STOPPING=1");
      server_->stop();
    };
    for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGXCPU})
      signals_.push_back(std::make_unique<loop::Signal>(loop_, number, stop));
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
    return server_->open(settings_.node, std::move(*disk), service_);
  }

  int fail(const Error& error, int code) {
    log_(node::LogLevel::error, to_string(error));
    exit_code_ = error.sys == ENOMEM ? Exit::out_of_memory : code;
    close();
    return exit_code_;
  }

  void on_stopped(node::StopReason reason) {
    exit_code_ = exit_code_of(reason);
    loop_.stop();
  }

  // What may remain is a disk that hangs, or a name look-up that no one answers: there is no
  // waiting for either.
  void close() {
    signals_.clear();
    if (server_ && !server_->wait_for_disk(patience_ms)) leave();
    server_.reset();
    if (!loop_.drain(patience_ms)) leave();
  }

  [[noreturn]] void leave() {
    own_sink->flush();
    _exit(exit_code_);
  }

  const Settings& settings_;
  const Log log_;
  const char* const notify_socket_ = std::getenv("NOTIFY_SOCKET");
  int exit_code_ = Exit::stopped;
  kv::Machine store_ = server::own_store();
  node::DictionaryService service_{store_};
  loop::Loop loop_;
  std::vector<std::unique_ptr<loop::Signal>> signals_;
  std::unique_ptr<server::Server> server_;
};

int run(const std::vector<std::string>& arguments, LogSink& sink) {
  const auto settings = parse(arguments, environment, config::read_file);
  if (!settings) return report_error(sink, settings.error());
  switch (settings->action) {
    case Action::help:
      return print(sink, help_text);
    case Action::version:
      return print(sink, "zattd " + std::string(version_text) + "\n");
    case Action::print_config:
      return print(sink, printed_config(*settings));
    case Action::check_config:
      for (const std::string& odd : what_is_odd(*settings)) sink.write_line("zattd: " + odd + "\n");
      return print(sink, (settings->config.empty() ? "" : settings->config + ": ") +
                             "good: " + config::summary(*settings) + "\n");
    case Action::run:
      break;
  }
  if (const Status enough = server::enough_descriptors(settings->node.cluster.size()); !enough) {
    report_error(sink, enough.error());
    return Exit::cannot_listen;
  }
  return Daemon(*settings, sink).run();
}

int run(const std::vector<std::string>& arguments) {
  prepare_process();
  LogSink sink(STDERR_FILENO);
  own_sink = &sink;
  before_last_words([]() noexcept { own_sink->flush(); });
  const int code = run(arguments, sink);
  before_last_words(nullptr);
  return code;
}

}  // namespace
}  // namespace zatt

int main(int argc, char** argv) { return zatt::run({argv + 1, argv + argc}); }
