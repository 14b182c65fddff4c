// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/link.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "codec/peer_frames.h"

namespace zatt::server {
namespace {

constexpr int death_s = 5;  // of the peer's machine or its network: then dial anew

}  // namespace

Link::Link(loop::Loop& loop, node::LinkId id, const LinkLimits& limits, Transport transport,
           Side side, PeerSink& sink, std::function<void()> on_closed)
    : id_(id),
      limits_(limits),
      transport_(std::move(transport)),
      limit_(loop, [this] { on_limit(); }),
      look_timer_(loop, [this] { look(); }),
      sink_(sink),
      on_closed_(std::move(on_closed)),
      has_magic_(side == Side::answerer) {}

void Link::begin(std::string_view first) {
  stream().limit_unsent(max_handed_bytes);
  stream().limit_unacknowledged(death_s);
  stream().keep_alive(death_s, 1);
  stream().set_events({.on_bytes = [this](std::string_view bytes) { on_bytes(bytes); },
                       .on_end = [this](int sys) { on_end(sys); },
                       .on_written = [this] { flush(); }});
  hand_on(std::string(codec::peer_magic));
  stream().read_start();
  if (!has_magic_) limit_.start(magic_limit_ms);
  if (!first.empty()) on_plain(first);
}

void Link::on_bytes(std::string_view wire) {
  if (closed_ || closing_) return;
  const auto bytes = transport_.open(wire);
  if (!bytes) return end("what came from " + to_string(remote()) + " cannot be deciphered");
  on_plain(*bytes);
}

void Link::on_plain(std::string_view bytes) {
  if (has_magic_) return split(bytes);
  const std::size_t missing = codec::peer_magic.size() - magic_.size();
  magic_ += bytes.substr(0, missing);
  if (!codec::peer_magic.starts_with(magic_)) return end("what answers there is not a zatt node");
  if (magic_.size() < codec::peer_magic.size()) return;
  has_magic_ = true;
  limit_.stop();
  split(bytes.substr(missing));
}

void Link::split(std::string_view bytes) {
  const bool whole = splitter_.feed(bytes, [this](std::string_view frame) {
    sink_.on_frame(id_, frame);
    return !closing_ && !closed_;
  });
  if (!whole) end("a frame of impossible length came from " + to_string(remote()));
}

void Link::send(node::Priority priority, std::string frame) {
  if (closed_ || closing_) return;
  ZATT_ASSERT(frame.size() <= codec::max_frame_bytes);
  waiting_bytes_ += codec::frame_length_bytes + frame.size();
  (priority == node::Priority::control ? control_ : bulk_).push_back(std::move(frame));
  if (waiting_bytes_ > limits_.max_unsent_bytes)
    end("the send queue to " + to_string(remote()) + " is full");
}

void Link::flush() {
  while (!closed_ && waiting_bytes_ > 0 && stream().queued_bytes() < max_handed_bytes)
    hand_on(next_chunk());
  if (!closed_ && unsent_bytes() > 0 && !look_timer_.is_active()) {
    watch_ = ProgressWatch(taken_bytes());
    look_timer_.start(limits_.look_every_ms());
  }
  if (closing_ && !closed_ && waiting_bytes_ == 0 && stream().queued_bytes() == 0) {
    whole_ = true;
    end("");
  }
}

void Link::hand_on(std::string chunk) {
  handed_bytes_ += chunk.size();
  transport_.write(std::move(chunk));
}

void Link::look() {
  if (closed_ || unsent_bytes() == 0) return;
  if (watch_.look(taken_bytes()) < LinkLimits::looks)
    return look_timer_.start(limits_.look_every_ms());
  end("it has taken nothing for " + std::to_string(limits_.stuck_ms / 1000) + " s while " +
      std::to_string(unsent_bytes() >> 10) + " KiB wait for it");
}

std::string Link::next_chunk() {
  std::string chunk;
  const std::size_t room = max_handed_bytes - std::min(stream().queued_bytes(), max_handed_bytes);
  for (std::deque<std::string>* const queue : {&control_, &bulk_}) {
    while (!queue->empty() && (chunk.empty() || chunk.size() + queue->front().size() <= room)) {
      const std::string& frame = queue->front();
      Writer(chunk).bytes(frame);
      waiting_bytes_ -= codec::frame_length_bytes + frame.size();
      queue->pop_front();
    }
  }
  return chunk;
}

void Link::close() {
  if (closing_ || closed_) return;
  closing_ = true;
  stream().read_stop();
  limit_.start(closing_limit_ms);
}

void Link::on_end(int sys) {
  const std::string how = sys == 0 ? "" : loop::error_text(sys);
  if (has_magic_) return end(sys == 0 ? "it closed the connection" : how);
  end("it closed the connection at once" + (sys == 0 ? "" : ": " + how));
}

void Link::on_limit() { end(closing_ ? "" : "it accepts connections, but says nothing"); }

void Link::end(std::string why) {
  if (closed_) return;
  closed_ = true;
  close_reason_ = std::move(why);
  limit_.stop();
  look_timer_.stop();
  stream().read_stop();
  on_closed_();
}

}  // namespace zatt::server
