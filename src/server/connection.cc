// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/connection.h"

#include <utility>

#include "base/release.h"
#include "loop/loop.h"

namespace zatt::server {
namespace {

constexpr int keep_alive_idle_s = 60;
constexpr int keep_alive_interval_s = 10;
// What the kernel holds for it unsent: enough for a fast network, and what is not read is counted.
constexpr int max_unsent_bytes = 256 << 10;

std::string mebibytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Connection::Connection(node::ClientId id, const ClientLimits& limits, ClientOwner& owner,
                       Transport transport, const MakeProtocol& make)
    : id_(id),
      limits_(limits),
      owner_(owner),
      transport_(std::move(transport)),
      protocol_(make(*this)) {}

void Connection::begin(std::string_view first, bool ended) {
  protocol_->on_open();
  stream().limit_unsent(max_unsent_bytes);
  stream().keep_alive(keep_alive_idle_s, keep_alive_interval_s);
  stream().set_events({.on_bytes = [this](std::string_view bytes) { on_bytes(bytes); },
                       .on_end = [this](int sys) { on_end(sys); },
                       .on_written = [this] { on_written(); }});
  ended_ = ended;
  stream().read_within_turns(true);
  stream().read_start();
  pull(first);
}

void Connection::on_bytes(std::string_view wire) {
  const auto plain = transport_.open(wire);
  if (!plain) return end("what it sent cannot be deciphered");
  pull(*plain);
}

void Connection::pull(std::string_view bytes) {
  if (closed_ || closing_) return;
  pulling_ = true;
  stopped_ = !protocol_->on_bytes(bytes);
  if (!stopped_ && ended_ && !told_end_) {
    told_end_ = true;
    protocol_->on_end();
  }
  pulling_ = false;
  if (stopped_) stream().read_stop();
  update_line();
}

void Connection::update_line() {
  if (closed_) return;
  const std::size_t kept = protocol_->kept_bytes();
  count_input(kept);
  if (stopped_ || kept <= LineGate::free_bytes) return leave_line_gate();
  LineGate& gate = owner_.line_gate();
  if (line_ == Line::kept) return gate.on_bytes(id_);
  if (line_ == Line::short_or_none) line_ = gate.enter(id_) ? Line::kept : Line::waits;
  if (line_ == Line::waits)
    stream().read_stop();
  else
    stream().read_freely(true);
}

void Connection::leave_line_gate() {
  if (line_ == Line::short_or_none) return;
  line_ = Line::short_or_none;
  stream().read_freely(false);
  owner_.line_gate().leave(id_);
}

void Connection::refuse_line() {
  if (closed_ || line_ == Line::short_or_none) return;
  protocol_->refuse_begun();
  update_line();
  if (may_read()) stream().read_start();
}

void Connection::on_end(int sys) {
  if (sys != 0) return end(loop::error_text(sys));
  ended_ = true;
  if (!stopped_) pull({});
}

void Connection::want_requests(bool wanted) {
  wanted_ = wanted;
  if (!pulling_ && wanted && stopped_) owner_.on_ready(id_);
  if (!pulling_ && !wanted && !stopped_) {
    stopped_ = true;
    stream().read_stop();
  }
}

void Connection::resume() {
  if (std::exchange(room_, false)) protocol_->on_room();
  if (line_ == Line::waits && owner_.line_gate().is_inside(id_)) {
    line_ = Line::kept;
    stream().read_freely(true);
  }
  if (stopped_ && wants_requests()) pull({});
  if (may_read()) stream().read_start();
}

void Connection::write(std::string_view bytes) {
  if (closed_) return;
  out_ += bytes;
  on_output();
}

void Connection::respond(const codec::Request& request, const codec::Response& response) {
  if (closed_) return;
  protocol_->write_response(request, response, out_);
  on_output();
}

void Connection::on_output() {
  owner_.on_output(id_);
  update_pause();
  const std::size_t waiting = unread_bytes();
  if (waiting <= limits_.max_waiting_bytes) return;
  give_up(mebibytes(waiting) + " of replies wait for it");
  release(out_);
}

void Connection::write_out() {
  if (closed_) return;
  if (!out_.empty()) {
    handed_bytes_ += out_.size();
    transport_.write(std::exchange(out_, {}));
  }
  on_written();
}

void Connection::on_written() {
  update_pause();
  if (closing_ && unread_bytes() == 0) return end("");
  if (stopped_ && wants_requests()) owner_.on_ready(id_);
}

void Connection::count_input(std::size_t bytes) {
  owner_.on_input_kept(std::exchange(counted_.input, bytes), bytes);
}

void Connection::count_unread(std::size_t bytes) {
  owner_.on_output_unread(std::exchange(counted_.unread, bytes), bytes);
}

void Connection::update_pause() {
  const std::size_t waiting = unread_bytes();
  if (!closed_) count_unread(waiting);
  const bool was_slow = is_slow();
  if (waiting >= limits_.pause_bytes) paused_ = true;
  if (paused_ && waiting < limits_.pause_bytes / 2) {
    paused_ = false;
    room_ = true;
    owner_.on_ready(id_);
  }
  if (is_slow() && !was_slow) begin_to_look();
}

void Connection::begin_to_look() {
  watch_ = ProgressWatch(taken_bytes());
  owner_.on_slow(id_);
}

bool Connection::check_progress() {
  if (!is_slow()) return false;
  if (watch_.look(taken_bytes()) > ClientLimits::looks)
    give_up("it has read nothing for " + std::to_string(limits_.stuck_ms / 1000) + " s while " +
            mebibytes(unread_bytes()) + " of replies wait for it");
  return !closed_;
}

void Connection::close() {
  if (closing_) return;
  closing_ = true;
  stream().read_stop();
  owner_.on_output(id_);
  if (is_slow()) begin_to_look();
}

void Connection::end_for_room() {
  give_up("others wait for room, and it has read nothing for a while of " +
          std::to_string(unread_bytes() >> 10) + " KiB that wait for it");
}

void Connection::give_up(std::string reason) {
  too_slow_ = true;
  end(std::move(reason));
}

void Connection::end(std::string reason) {
  if (closed_) return;
  closed_ = true;
  close_reason_ = std::move(reason);
  stream().read_stop();
  leave_line_gate();
  count_input(0);
  count_unread(0);
  owner_.on_ready(id_);
}

void Connection::on_removed(LingeringClose& lingering_close, const LogFunction& log) {
  if (!close_reason_.empty()) {
    log(too_slow_ ? node::LogLevel::warning : node::LogLevel::debug,
        "client " + to_string(stream().remote()) + " is closed: " + close_reason_);
  } else if (!closing_ || !ended_) {  // what was said last arrives, though input is unread
    lingering_close.close(std::move(stream()), {});
  }
  protocol_->on_closed();
}

}  // namespace zatt::server
