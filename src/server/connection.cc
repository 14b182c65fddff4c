// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/client.h"

#include <utility>

#include "loop/loop.h"

namespace zatt::server {
namespace {

constexpr int keep_alive_idle_s = 60;
constexpr int keep_alive_interval_s = 10;

std::string mebibytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Client::Client(node::ClientId id, const ClientLimits& limits, ClientOwner& owner,
               loop::Stream stream)
    : id_(id),
      limits_(limits),
      owner_(owner),
      stream_(std::move(stream)),
      splitter_(limits.max_line_bytes) {}

void Client::begin(std::string_view first, bool ended) {
  stream_.keep_alive(keep_alive_idle_s, keep_alive_interval_s);
  stream_.set_events({.on_bytes = [this](std::string_view bytes) { pull(bytes); },
                      .on_end = [this](int sys) { on_stream_end(sys); },
                      .on_written = [this] { on_written(); }});
  ended_ = ended;
  stream_.read_start();
  pull(first);
}

// Hands out what lines there are, as long as they are wanted.
void Client::pull(std::string_view bytes) {
  if (closed_ || closing_) return;
  const auto on_line = [this](std::string_view line, bool too_long) {
    owner_.on_line(id_, line, too_long);
    update_pause();
    stopped_ = !wants_lines();
    return !stopped_;
  };
  pulling_ = true;
  stopped_ = false;
  splitter_.feed(bytes, on_line);
  if (!stopped_ && ended_ && !told_end_) {
    splitter_.end(on_line);
    told_end_ = true;
    owner_.on_end(id_);
  }
  pulling_ = false;
  if (stopped_) stream_.read_stop();
}

void Client::on_stream_end(int sys) {
  if (sys != 0) return end(loop::error_text(sys));
  ended_ = true;
  if (!stopped_) pull({});
}

void Client::want_lines(bool wanted) {
  wanted_ = wanted;
  if (!pulling_ && wanted && stopped_) owner_.on_ready(id_);
  if (!pulling_ && !wanted && !stopped_) {
    stopped_ = true;
    stream_.read_stop();
  }
}

void Client::resume() {
  if (!stopped_ || !wants_lines()) return;
  pull({});
  if (!stopped_ && !ended_ && !closed_) stream_.read_start();
}

// One turn can bring more than all bounds: what is not read is given up here, not when it is sent.
void Client::reply(std::string_view lines) {
  if (closed_) return;
  out_ += lines;
  update_pause();
  const std::size_t waiting = waiting_bytes();
  if (waiting <= limits_.max_waiting_bytes) return;
  give_up(mebibytes(waiting) + " of replies wait for it");
  out_ = std::string();
}

void Client::write_out() {
  if (closed_) return;
  if (!out_.empty()) {
    handed_bytes_ += out_.size();
    stream_.write(std::exchange(out_, {}));
  }
  update_pause();
  if (closing_ && waiting_bytes() == 0) return end("");
  if (stopped_ && wants_lines()) owner_.on_ready(id_);
}

void Client::on_written() {
  update_pause();
  if (closing_ && waiting_bytes() == 0) return end("");
  if (stopped_ && wants_lines()) owner_.on_ready(id_);
}

void Client::update_pause() {
  const std::size_t waiting = waiting_bytes();
  const bool was_slow = is_slow();
  if (waiting >= limits_.pause_bytes) paused_ = true;
  if (paused_ && waiting < limits_.pause_bytes / 2) {
    paused_ = false;
    room_ = true;
    owner_.on_ready(id_);
  }
  if (is_slow() && !was_slow) begin_to_look();
}

void Client::begin_to_look() {
  looks_in_vain_ = 0;
  taken_bytes_ = taken_bytes();
  owner_.on_slow(id_);
}

// Looks are counted, not time: while this process stood still, nobody could be seen to read.
void Client::check_progress() {
  const std::uint64_t taken = taken_bytes();
  if (taken != taken_bytes_) {
    taken_bytes_ = taken;
    looks_in_vain_ = 0;
  } else if (++looks_in_vain_ > ClientLimits::looks) {
    give_up("it has read nothing for " + std::to_string(limits_.stuck_ms / 1000) + " s while " +
            mebibytes(waiting_bytes()) + " of replies wait for it");
  }
}

void Client::close() {
  if (closing_) return;
  closing_ = true;
  stream_.read_stop();
  if (is_slow()) begin_to_look();
}

void Client::give_up(std::string why) {
  too_slow_ = true;
  end(std::move(why));
}

void Client::end(std::string why) {
  if (closed_) return;
  closed_ = true;
  close_reason_ = std::move(why);
  stream_.read_stop();
  owner_.on_ready(id_);
}

}  // namespace zatt::server
