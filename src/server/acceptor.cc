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

Acceptor::Acceptor(LingeringClose& lingering_close, loop::Listener listener, AcceptorOwner& owner,
                   LogFunction log)
    : lingering_close_(lingering_close),
      listener_(std::move(listener)),
      address_(listener_->local()),
      owner_(owner),
      log_(std::move(log)) {}

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
  if (waiting_.size() >= waiting_without_room && !owner_.has_room()) {
    on_shortage();
    waiting_.erase(waiting_.begin());
  }
  const std::uint64_t number = ++last_number_;
  Waiting waiting{.transport = Transport(std::move(stream))};
  loop::Stream& added =
      waiting_.emplace(number, std::move(waiting)).first->second.transport.stream();
  added.keep_alive(60, 10);
  added.set_events({.on_bytes = [this, number](std::string_view bytes) { on_bytes(number, bytes); },
                    .on_end = [this, number](int sys) { on_end(number, sys); },
                    .on_written = nullptr});
  added.read_within_turns(true);  // as a client: it mostly is one
  added.read_start();
}

void Acceptor::on_bytes(std::uint64_t number, std::string_view wire) {
  const auto found = waiting_.find(number);
  Waiting& waiting = found->second;
  const auto plain = waiting.transport.open(wire);
  if (!plain) {
    waiting_.erase(found);
    return;
  }
  std::string_view bytes = *plain;
  std::string joined;  // mostly not needed: a caller's first bytes say it all
  if (waiting.size > 0) {
    joined.assign(waiting.first, waiting.size);
    joined += bytes;
    joined.append(loop::Loop::read_slack_bytes, '\0');
    bytes = std::string_view(joined).substr(0, waiting.size + bytes.size());
  }
  const Protocol protocol = detect_protocol(bytes.substr(0, max_detect_bytes));
  if (protocol == Protocol::unknown) {  // then there are less than max_detect_bytes of them
    waiting.size = static_cast<std::uint8_t>(bytes.copy(waiting.first, max_detect_bytes));
    return;
  }
  Transport transport = std::move(waiting.transport);
  waiting_.erase(found);
  dispatch(protocol, std::move(transport), bytes, false);
}

void Acceptor::on_end(std::uint64_t number, int sys) {
  const auto found = waiting_.find(number);
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  if (sys != 0 || waiting.size == 0) return;
  char first[max_detect_bytes + loop::Loop::read_slack_bytes] = {};
  const std::string_view said(waiting.first, waiting.size);
  said.copy(first, said.size());
  dispatch(Protocol::client, std::move(waiting.transport), {first, said.size()}, true);
}

void Acceptor::dispatch(Protocol protocol, Transport transport, std::string_view first,
                        bool ended) {
  transport.stream().read_stop();
  transport.stream().set_events({});
  transport.stream().read_within_turns(false);
  if (protocol != Protocol::peer && !owner_.has_room()) return on_shortage();
  switch (protocol) {
    case Protocol::peer:
      return owner_.on_peer(std::move(transport), first.substr(codec::peer_magic.size()));
    case Protocol::client:
      return owner_.on_client(std::move(transport), first, ended);
    case Protocol::http:
    case Protocol::redis:
    case Protocol::tls:
    case Protocol::unknown:
      lingering_close_.close(std::move(transport.stream()), rejection_of(protocol));
  }
}

void Acceptor::on_shortage() {
  const std::uint64_t now_us = loop::now_us();
  if (last_shortage_us_ != never_us && now_us - last_shortage_us_ < node::Health::repeat_us) return;
  last_shortage_us_ = now_us;
  log_(node::LogLevel::warning,
       "too many connections: new ones are closed until others end; raise the limit of "
       "open files (ulimit -n, LimitNOFILE=)");
}

}  // namespace zatt::server
