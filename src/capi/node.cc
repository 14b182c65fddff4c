// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt.h's node: what is checked before there is one, and the thread that turns it.
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "capi/convert.h"
#include "capi/embedded.h"
#include "config/config_file.h"
#include "config/settings.h"
#include "loop/loop.h"
#include "loop/thread.h"
#include "zatt/zatt.h"

using namespace zatt;

// In the order in which they end.
struct zatt_node {
  std::unique_ptr<loop::Loop> loop;
  std::unique_ptr<capi::Embedded> embedded;
  bool is_hosted = false;              // on the host's loop
  std::atomic<std::thread::id> turns;  // who turns a loop of our own
  std::thread thread;

  bool is_own_call() const {
    return is_hosted ? embedded->is_calling_back() : turns.load() == std::this_thread::get_id();
  }
};

namespace {

constexpr const char* from_options = "options";

Result<config::Settings> settings_of(const zatt_node_options& options) {
  config::Inputs sources;
  sources.id_option = "an id";
  std::string name;
  std::string text;
  if (options.config_file != nullptr) {
    name = options.config_file;
    auto read = config::read_file(name);
    if (!read) return read.error();
    text = std::move(*read);
  } else if (options.config != nullptr) {
    name = "config";
    text = options.config;
  }
  if (!name.empty()) {
    auto file = config::parse_config_file(name, text);
    if (!file) return file.error();
    sources.file = std::move(*file);
    sources.raw["config"] = {name, from_options};
  }
  if (options.id != nullptr) sources.raw["id"] = {options.id, from_options};
  if (options.storage != nullptr) sources.raw["storage"] = {options.storage, from_options};
  return config::resolve(std::move(sources));
}

const char* what_is_wrong(const zatt_node_options& options) {
  if (options.config != nullptr && options.config_file != nullptr)
    return "give config or config_file, not both";
  if (capi::timeout_of(options.timeout_ms) == 0) return capi::wrong_timeout;
  return nullptr;
}

capi::Host host_of(const zatt_node_options& options) {
  return {options.user, options.on_log, options.on_state, options.on_stop,
          capi::timeout_of(options.timeout_ms)};
}

int refuse(const zatt_node_options& options, int error, std::string_view why) {
  capi::tell(options.error, options.error_size, why);
  return error;
}

int open_node(const zatt_node_options& options, zatt_node** out) {
  if (const char* const wrong = what_is_wrong(options)) return refuse(options, ZATT_EINVAL, wrong);
  zatt_machine machine;
  if (options.machine != nullptr &&
      (!capi::widen(options.machine, machine) || machine.apply == nullptr))
    return refuse(options, ZATT_EINVAL, "machine is not a zatt_machine that this version knows");
  const auto settings = settings_of(options);
  if (!settings) return refuse(options, ZATT_EINVAL, to_string(settings.error()));

  auto node = std::make_unique<zatt_node>();
  node->is_hosted = options.loop != nullptr;
  if (node->is_hosted) {
    node->loop = std::make_unique<loop::Loop>(options.loop);
  } else {
    auto made = loop::Loop::make();
    if (!made) return refuse(options, ZATT_EOVERLOADED, to_string(made.error()));
    node->loop = std::move(*made);
  }
  node->embedded = std::make_unique<capi::Embedded>(
      *node->loop, host_of(options), options.machine == nullptr ? nullptr : &machine);
  std::string why;
  if (const int error = node->embedded->open(*settings, why); error != ZATT_OK)
    return refuse(options, error, why);
  zatt_node* const opened = node.release();
  *out = opened;
  if (opened->is_hosted) return ZATT_OK;
  try {
    opened->thread = loop::quiet_thread([opened] {
      opened->turns = std::this_thread::get_id();
      opened->loop->run();  // until nothing is left, which is when the node has ended
    });
  } catch (const std::system_error&) {
    *out = nullptr;
    opened->embedded->close();
    delete opened;
    throw;
  }
  return ZATT_OK;
}

int open_checked(const zatt_node_options* raw, zatt_node** out) noexcept {
  if (out == nullptr) return ZATT_EINVAL;
  *out = nullptr;
  zatt_node_options options;
  if (!capi::widen(raw, options)) return ZATT_EINVAL;
  capi::tell(options.error, options.error_size, "");
  try {
    return open_node(options, out);
  } catch (const std::system_error&) {
    return refuse(options, ZATT_EOVERLOADED, "no thread can be made");
  } catch (const std::bad_alloc&) {
    return refuse(options, ZATT_EOVERLOADED, "out of memory");
  }
}

// One call that waits for its answer.
struct Call {
  Call(zatt_on_reply then, void* with) : on_reply(then), user(with) {}

  const zatt_on_reply on_reply;
  void* const user;
  std::mutex mutex;
  std::condition_variable answered;
  bool done = false;
  int error = ZATT_OK;
};

void on_call_answered(void* user, const zatt_reply* reply) noexcept {
  Call& call = *static_cast<Call*>(user);
  if (call.on_reply != nullptr) call.on_reply(call.user, reply);
  const std::lock_guard lock(call.mutex);
  call.done = true;
  call.error = reply->error;
  call.answered.notify_one();  // under the mutex: afterwards there may be no Call
}

int call(zatt_node& node, const zatt_request* request, zatt_on_reply on_reply,
         void* user) noexcept {
  if (node.is_hosted || node.is_own_call()) return ZATT_EBUSY;
  Call call(on_reply, user);
  const int error = node.embedded->ask(request, on_call_answered, &call);
  if (error != ZATT_OK) return error;
  std::unique_lock lock(call.mutex);
  call.answered.wait(lock, [&call] { return call.done; });
  return call.error;
}

int close_node(zatt_node* node) noexcept {
  if (node == nullptr) return ZATT_OK;
  if (node->is_own_call()) return ZATT_EBUSY;
  if (node->is_hosted) {
    node->embedded->close();
  } else {
    node->embedded->stop();
    node->thread.join();
  }
  delete node;
  return ZATT_OK;
}

}  // namespace

extern "C" {

int zatt_node_open(const zatt_node_options* options, zatt_node** out) {
  return open_checked(options, out);
}

int zatt_node_send(zatt_node* node, const zatt_request* request, zatt_on_reply on_reply,
                   void* user) {
  return node->embedded->ask(request, on_reply, user);
}

int zatt_node_call(zatt_node* node, const zatt_request* request, zatt_on_reply on_reply,
                   void* user) {
  return call(*node, request, on_reply, user);
}

int zatt_node_state(const zatt_node* node, zatt_state* state) {
  return node->embedded->state(state);
}

void zatt_node_stop(zatt_node* node) { node->embedded->stop(); }

int zatt_node_close(zatt_node* node) { return close_node(node); }

}  // extern "C"
