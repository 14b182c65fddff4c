// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/acceptor.h"

#include <string>
#include <utility>

#include "codec/peer_frames.h"
#include "loop/loop.h"
#include "node/health.h"

namespace zatt::server {
namespace {

// Where there is no room for clients, a peer still gets through: so many may wait at once to say
// who they are, and the oldest of them makes way.
constexpr std::size_t waiting_without_room = 8;

}  // namespace

Acceptor::Acceptor(LingeringClose& lingering_close, loop::Listener listener, Events events)
    : lingering_close_(lingering_close),
      listener_(std::move(listener)),
      address_(listener_->local()),
      events_(std::move(events)) {}

Status Acceptor::open() {
  return listener_->listen(
      {.on_connection = [this](loop::Stream stream) { on_connection(std::move(stream)); },
       .on_shortage = [this](int) { on_shortage(); }});
}

void Acceptor::close() {
  listener_.reset();
  waiting_.clear();
}

void Acceptor::on_connection(loop::Stream stream) {
  if (waiting_.size() >= waiting_without_room && !events_.has_room()) {
    on_shortage();
    waiting_.erase(waiting_.begin());
  }
  const std::uint64_t number = ++last_number_;
  Waiting& waiting = waiting_[number];
  waiting.stream = std::move(stream);
  waiting.stream.keep_alive(60, 10);
  waiting.stream.set_events(
      {.on_bytes = [this, number](std::string_view bytes) { on_bytes(number, bytes); },
       .on_end = [this, number](int sys) { on_end(number, sys); },
       .on_written = nullptr});
  waiting.stream.read_start();
}

void Acceptor::on_bytes(std::uint64_t number, std::string_view bytes) {
  const auto found = waiting_.find(number);
  Waiting& waiting = found->second;
  std::string joined;  // mostly not needed: a caller's first bytes say it all
  if (waiting.size > 0) {
    joined.assign(waiting.first, waiting.size);
    joined += bytes;
    joined.append(loop::Loop::read_slack_bytes, '\0');
    bytes = std::string_view(joined).substr(0, waiting.size + bytes.size());
  }
  const Protocol caller = detect_protocol(bytes.substr(0, max_detect_bytes));
  if (caller == Protocol::unknown) {  // then there are less than max_greeting_bytes of them
    waiting.size = static_cast<std::uint8_t>(bytes.copy(waiting.first, max_detect_bytes));
    return;
  }
  loop::Stream stream = std::move(waiting.stream);
  waiting_.erase(found);
  send_on(caller, std::move(stream), bytes, false);
}

void Acceptor::on_end(std::uint64_t number, int sys) {
  const auto found = waiting_.find(number);
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  if (sys != 0 || waiting.size == 0) return;
  char first[max_detect_bytes + loop::Loop::read_slack_bytes] = {};
  const std::string_view said(waiting.first, waiting.size);
  said.copy(first, said.size());
  send_on(Protocol::client, std::move(waiting.stream), {first, said.size()}, true);
}

void Acceptor::send_on(Protocol caller, loop::Stream stream, std::string_view first, bool ended) {
  stream.read_stop();
  stream.set_events({});
  if (caller != Protocol::peer && !events_.has_room()) return on_shortage();
  switch (caller) {
    case Protocol::peer:
      return events_.on_peer(std::move(stream), first.substr(codec::peer_magic.size()));
    case Protocol::client:
      return events_.on_client(std::move(stream), first, ended);
    case Protocol::http:
    case Protocol::redis:
    case Protocol::tls:
    case Protocol::unknown:
      lingering_close_.close(std::move(stream), rejection_of(caller));
  }
}

void Acceptor::on_shortage() {
  const std::uint64_t now_us = loop::now_us();
  if (last_shortage_us_ && now_us - *last_shortage_us_ < node::Health::repeat_us) return;
  last_shortage_us_ = now_us;
  events_.log(node::LogLevel::warning,
              "too many connections: new ones are closed until others end; raise the limit of "
              "open files (ulimit -n, LimitNOFILE=)");
}

}  // namespace zatt::server
