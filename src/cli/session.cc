// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/session.h"

#include <algorithm>
#include <utility>

namespace zatt::cli {
namespace {

std::string text_of(zatt_bytes bytes) {
  return bytes.data == nullptr ? std::string() : std::string(bytes.data, bytes.size);
}

// A server has a second to greet before the next is tried: all of them get their turn, but nobody
// waits the whole timeout where there is none.
int connect_timeout_ms(const std::string& servers, int timeout_ms) {
  const auto count = std::count(servers.begin(), servers.end(), ',') + 1;
  const auto ms = count == 1 ? 1'000 : 1'000 * count + 500;
  return static_cast<int>(std::min<std::ptrdiff_t>(ms, timeout_ms));
}

Reply refusal_of(int error, std::string message) {
  Reply reply;
  reply.error = error;
  reply.message = std::move(message);
  return reply;
}

}  // namespace

Reply copy_of(const zatt_reply& reply) {
  Reply copy;
  copy.error = reply.error;
  copy.message = reply.message;
  copy.found = reply.found != 0;
  if (reply.value.data != nullptr) copy.value = text_of(reply.value);
  copy.rev = reply.rev;
  copy.number = reply.number;
  copy.at = reply.at;
  copy.more = reply.more != 0;
  copy.items.reserve(reply.item_count);
  for (const zatt_item& item : std::span(reply.items, reply.item_count))
    copy.items.push_back({text_of(item.key), text_of(item.value), item.rev});
  copy.line = text_of(reply.line);
  return copy;
}

std::optional<Reply> Session::open() {
  if (client_ != nullptr) return std::nullopt;
  char error[512] = "";
  zatt_client_options options = zatt_client_options_of(options_.servers.c_str());
  options.timeout_ms = options_.timeout_ms;
  options.error = error;
  options.error_size = sizeof error;
  if (!options_.whole_timeout)
    options.connect_timeout_ms = connect_timeout_ms(options_.servers, options_.timeout_ms);
  zatt_client* client = nullptr;
  const int failed = zatt_client_open(&options, &client);
  client_.reset(client);
  if (client == nullptr) return refusal_of(failed, error);
  interrupts_.arm();
  return std::nullopt;
}

Reply Session::ask(const zatt_request& request) {
  std::optional<Reply> answer;
  const int error = send(request, [&answer](const zatt_reply& reply) { answer = copy_of(reply); });
  if (error != ZATT_OK) return why_not_sent();
  while (!answer && turn({})) {
  }
  return std::move(*answer);  // closing answers, too
}

int Session::send(const zatt_request& request, Done done) {
  if (interrupted_) refusal_ = refusal_of(ZATT_ECANCELED, "given up");
  if (interrupted_) return ZATT_ECANCELED;
  if (auto why = open()) {
    refusal_ = std::move(*why);
    return refusal_.error;
  }
  zatt_request timed = request;
  if (timed.timeout_ms == 0) timed.timeout_ms = options_.timeout_ms;
  auto box = std::make_unique<Waiter>(Waiter{std::move(done), answers_});
  const int error = zatt_client_send(
      client_.get(), &timed,
      [](void* user, const zatt_reply* reply) {
        const std::unique_ptr<Waiter> waiter(static_cast<Waiter*>(user));
        ++waiter->answers;
        waiter->done(*reply);
      },
      box.get());
  if (error == ZATT_OK)
    static_cast<void>(box.release());  // the callback's
  else
    refusal_ = refusal_of(error, zatt_client_message(client_.get()));
  return error;
}

bool Session::turn(std::span<pollfd> others) {
  if (client_ == nullptr && others.empty()) return false;
  const std::uint64_t answers = answers_;
  dispatch();
  const bool news = answers_ != answers;
  polled_.assign(others.begin(), others.end());
  polled_.push_back({interrupts_.fd(), POLLIN, 0});
  int wake_ms = -1;
  if (client_ != nullptr) {
    polled_.push_back(
        {zatt_client_fd(client_.get()), static_cast<short>(zatt_client_events(client_.get())), 0});
    wake_ms = zatt_client_wake_ms(client_.get());
  }
  poll(polled_.data(), polled_.size(), news ? 0 : wake_ms);
  for (std::size_t i = 0; i < others.size(); ++i) others[i].revents = polled_[i].revents;
  dispatch();  // an answer that is here counts, ^C or not
  if (interrupts_.caught() == 0) return true;
  interrupted_ = true;
  client_.reset();
  return false;
}

void Session::dispatch() {
  if (client_ != nullptr) zatt_client_dispatch(client_.get());
}

void Session::start_anew() {
  interrupts_.forget();
  interrupted_ = false;
}

std::size_t Session::pending() const {
  return client_ == nullptr ? 0 : zatt_client_pending(client_.get());
}

}  // namespace zatt::cli
