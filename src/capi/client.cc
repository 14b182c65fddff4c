// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt.h's client: the client without a socket, a socket, and poll(2).
#include "client/client.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "base/random_seed.h"
#include "capi/convert.h"
#include "capi/resolve.h"
#include "capi/socket.h"
#include "json/reader.h"
#include "zatt/zatt.h"

namespace {

using namespace zatt;
using capi::ReplyBox;

constexpr std::size_t read_bytes = 16 << 10;
constexpr int reads_a_turn = 64;  // then the host's loop has its turn

std::uint64_t now_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

struct Waiter {
  zatt_on_reply on_reply = nullptr;
  void* user = nullptr;
};

}  // namespace

struct zatt_client {
  zatt_client(client::Options options, capi::Addresses found, int timeout)
      : core(std::move(options)), addresses(std::move(found)), timeout_ms(timeout) {}

  client::Client core;
  capi::Addresses addresses;
  capi::Socket socket;
  std::uint64_t number = 0;  // of the core's connection that the socket is for
  bool connecting = false;
  std::array<char, read_bytes + json::slack> incoming{};  // what was read, until it is understood
  const int timeout_ms;
  std::unordered_map<client::Token, Waiter> waiters;
  std::unique_ptr<ReplyBox> last;  // what a blocking call lends
  std::string message;
  mutable std::string server;  // what zatt_client_server lends
  bool calling_back = false;
  bool closing = false;

  // --- one call of the host's ---
  void enter() { socket.forget(); }
  void leave() { socket.shown(); }

  // --- the connection the core wants, and its bytes ---
  void follow();
  void begin_connection();
  void finish_connecting();
  void lost(const Error& error);
  void read();
  void write();
  void turn();

  // --- requests ---
  int ask(const zatt_request* given, const Waiter& waiter) noexcept;
  void deliver();
  int call(const zatt_request& request);
  bool wait();
  int wake_ms() const;
  short events() const;
  void close();
};

// Whatever happens while one connection is begun may be the end of it, and the wish for another.
void zatt_client::follow() {
  for (int i = 0; i < 4; ++i) {
    const auto& wanted = core.connection();
    const std::uint64_t wanted_number = wanted ? wanted->number : 0;
    if (wanted_number == number) return;
    socket.give_up();
    number = wanted_number;
    connecting = false;
    if (wanted) begin_connection();
  }
}

void zatt_client::begin_connection() {
  const Address to = core.connection()->server;
  auto address = addresses.next(to);
  if (!address) return lost(address.error());
  if (const Status begun = socket.connect(*address); !begun) return lost(begun.error());
  connecting = true;
  finish_connecting();
}

void zatt_client::finish_connecting() {
  if (!connecting) return;
  const auto result = socket.connected();
  if (!result) return;
  connecting = false;
  if (!*result) return lost(result->error());
  core.on_connected(number, now_us());
}

void zatt_client::lost(const Error& error) {
  core.on_closed(number, error.sys != 0 ? std::strerror(error.sys) : error.detail, now_us());
}

void zatt_client::read() {
  for (int i = 0; i < reads_a_turn && socket.is_open() && !connecting; ++i) {
    const auto& wanted = core.connection();
    if (!wanted || wanted->number != number) return;
    const auto size = socket.read(incoming.data(), read_bytes);
    if (!size) return lost(size.error());
    if (*size == 0) return;
    core.on_bytes(number, {incoming.data(), *size}, now_us());
  }
}

void zatt_client::write() {
  while (socket.is_open() && !connecting && !core.outgoing().empty()) {
    const auto& wanted = core.connection();
    if (!wanted || wanted->number != number) return;
    const auto size = socket.write(core.outgoing());
    if (!size) return lost(size.error());
    if (*size == 0) return;
    core.on_sent(*size, now_us());
  }
}

// What can be done now. Input first: an end that has come already must not be written into.
void zatt_client::turn() {
  follow();
  finish_connecting();
  read();
  if (const std::uint64_t now = now_us(); core.wake_at_us() <= now) core.on_time(now);
  follow();
  write();
  follow();
  deliver();
}

int zatt_client::ask(const zatt_request* given, const Waiter& waiter) noexcept {
  zatt_request request;
  client::Request wanted;
  const char* why = "the request is not a zatt_request that this version knows";
  message.clear();
  if (!capi::widen(given, request) || capi::to_request(request, wanted, why) != ZATT_OK) {
    message = why;
    return ZATT_EINVAL;
  }
  const int ms = capi::timeout_of(request.timeout_ms, timeout_ms);
  if (ms == 0) {
    message = capi::wrong_timeout;
    return ZATT_EINVAL;
  }
  const auto token = core.ask(wanted, 1'000 * static_cast<std::uint64_t>(ms), now_us());
  if (!token) {
    message = token.error().detail;
    return token.error().code == Code::too_big ? ZATT_EOVERLOADED : ZATT_EINVAL;
  }
  waiters.emplace(*token, waiter);
  return ZATT_OK;
}

void zatt_client::deliver() {
  while (auto done = core.next_done()) {
    const auto it = waiters.find(done->token);
    ZATT_ASSERT(it != waiters.end());
    const Waiter waiter = it->second;
    waiters.erase(it);
    if (waiter.on_reply == nullptr) {  // the blocking call's own
      last = std::make_unique<ReplyBox>(std::move(done->reply));
      continue;
    }
    const ReplyBox reply(std::move(done->reply));
    calling_back = true;
    waiter.on_reply(waiter.user, reply.get());
    calling_back = false;
  }
}

// The reply is in `last`.
int zatt_client::call(const zatt_request& request) {
  const auto lent = std::move(last);  // the request may point into it: to set what was read
  if (const int error = ask(&request, {}); error != ZATT_OK) {
    last = std::make_unique<ReplyBox>(error, message);
    return error;
  }
  do turn();
  while (last == nullptr && wait());
  message = last->get()->message;
  return last->get()->error;
}

bool zatt_client::wait() {
  if (closing) {  // by a callback
    core.close();
    deliver();
    return false;
  }
  pollfd polled = {socket.fd(), events(), 0};
  poll(&polled, 1, wake_ms());  // whatever it says, the next turn looks for itself
  return true;
}

int zatt_client::wake_ms() const {
  const auto& wanted = core.connection();
  if ((wanted ? wanted->number : 0) != number) return 0;
  const std::uint64_t wake = core.wake_at_us();
  if (wake == never_us) return -1;
  const std::uint64_t now = now_us();
  if (wake <= now) return 0;
  return static_cast<int>(std::min<std::uint64_t>((wake - now + 999) / 1'000, 3'600'000));
}

short zatt_client::events() const {
  if (!socket.is_open()) return 0;
  if (connecting) return POLLOUT;
  return static_cast<short>(core.outgoing().empty() ? POLLIN : POLLIN | POLLOUT);
}

void zatt_client::close() {
  core.close();
  deliver();
}

// --- what a host calls -----------------------------------------------------------------------

namespace {

// Every call that may move the client: not from within a callback.
template <class F>
int guarded(zatt_client* client, F what) noexcept {
  if (client == nullptr) return ZATT_EINVAL;
  if (client->calling_back) return ZATT_EBUSY;
  client->enter();
  const int error = what();
  client->leave();
  if (!client->closing) return error;
  client->close();
  delete client;
  return error;
}

int open(const zatt_client_options& options, zatt_client** out) noexcept {
  const auto fail = [&options](int error, std::string_view why) {
    capi::tell(options.error, options.error_size, why);
    return error;
  };
  const auto servers = client::parse_servers(
      options.servers == nullptr ? to_string(Address{std::string(default_host), default_port})
                                 : options.servers);
  if (!servers) return fail(ZATT_EINVAL, servers.error().detail);
  const int timeout_ms = capi::timeout_of(options.timeout_ms);
  if (timeout_ms == 0) return fail(ZATT_EINVAL, capi::wrong_timeout);
  if (options.connect_timeout_ms < 0) return fail(ZATT_EINVAL, "connect_timeout_ms is negative");
  capi::Addresses addresses;
  if (const Status found = addresses.look_up(*servers); !found)
    return fail(ZATT_ENOSERVER, found.error().detail);
  client::Options core;
  core.servers = addresses.servers();
  core.connect_timeout_us = 1'000 * static_cast<std::uint64_t>(options.connect_timeout_ms);
  core.seed = random_seed();
  core.pin_server = options.stay != 0;
  *out = std::make_unique<zatt_client>(std::move(core), std::move(addresses), timeout_ms).release();
  return ZATT_OK;
}

int short_call(zatt_client* client, const zatt_request& request, const zatt_reply** reply) {
  return guarded(client, [&] {
    const int error = client->call(request);
    // Closed by a callback of another request: there is nobody left to lend it.
    if (reply != nullptr) *reply = client->closing ? nullptr : client->last->get();
    return error;
  });
}

int scan_page(zatt_client* client, const zatt_request& request,
              int (*each)(void* user, const zatt_item* item), void* user, std::string& after,
              bool& more) {
  const zatt_reply* page = nullptr;
  if (const int error = short_call(client, request, &page); error != ZATT_OK) return error;
  if (page == nullptr) return ZATT_ECANCELED;
  more = page->more != 0 && page->item_count > 0;
  if (more) {
    const zatt_item& last = page->items[page->item_count - 1];
    after.assign(last.key.data, last.key.size);
  }
  for (std::size_t i = 0; i < page->item_count; ++i) {
    client->calling_back = true;
    const int answer = each(user, &page->items[i]);
    client->calling_back = false;
    if (answer == 0) continue;
    more = false;
    return std::max(answer, 0);
  }
  return ZATT_OK;
}

}  // namespace

extern "C" {

int zatt_client_open(const zatt_client_options* options, zatt_client** out) {
  if (out == nullptr) return ZATT_EINVAL;
  *out = nullptr;
  zatt_client_options known;
  if (!capi::widen(options, known)) return ZATT_EINVAL;
  return open(known, out);
}

void zatt_client_close(zatt_client* client) {
  if (client == nullptr) return;
  if (client->calling_back) {
    client->closing = true;
    return;
  }
  client->close();
  delete client;
}

int zatt_client_call(zatt_client* client, const zatt_request* request, const zatt_reply** reply) {
  if (reply != nullptr) *reply = nullptr;
  zatt_request known;
  if (!capi::widen(request, known)) return ZATT_EINVAL;
  return short_call(client, known, reply);
}

int zatt_client_scan(zatt_client* client, const char* prefix,
                     int (*each)(void* user, const zatt_item* item), void* user) {
  if (each == nullptr) return ZATT_EINVAL;
  zatt_request request = zatt_request_of(ZATT_OP_SCAN);
  request.prefix = zatt_str(prefix);
  std::string after;
  bool more = true;
  int error = ZATT_OK;
  while (more && error == ZATT_OK) {
    more = false;
    error = scan_page(client, request, each, user, after, more);
    request.after = {after.data(), after.size()};
  }
  return error;
}

const char* zatt_client_message(const zatt_client* client) { return client->message.c_str(); }

const char* zatt_client_server(const zatt_client* client) {
  const auto& connection = client->core.connection();
  const bool open = connection && client->core.is_open();
  client->server = open ? to_string(connection->server) : std::string();
  return client->server.c_str();
}

int zatt_client_send(zatt_client* client, const zatt_request* request, zatt_on_reply on_reply,
                     void* user) {
  if (client == nullptr || on_reply == nullptr) return ZATT_EINVAL;
  if (client->closing) return ZATT_ECANCELED;
  return client->ask(request, {on_reply, user});
}

int zatt_client_fd(const zatt_client* client) { return client->socket.fd(); }

int zatt_client_events(const zatt_client* client) { return client->events(); }

int zatt_client_wake_ms(const zatt_client* client) { return client->wake_ms(); }

int zatt_client_dispatch(zatt_client* client) {
  return guarded(client, [client] {
    client->turn();
    return ZATT_OK;
  });
}

size_t zatt_client_pending(const zatt_client* client) { return client->core.pending(); }

}  // extern "C"
