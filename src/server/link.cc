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

Link::Link(loop::Loop& loop, loop::Stream stream, Side side, Events events)
    : stream_(std::move(stream)),
      limit_(loop, [this] { on_limit(); }),
      events_(std::move(events)),
      greeted_(side == Side::answerer) {}

void Link::begin(std::string_view first) {
  stream_.limit_unsent(max_handed_bytes);
  stream_.limit_unacknowledged(death_s);
  stream_.keep_alive(death_s, 1);
  stream_.set_events({.on_bytes = [this](std::string_view bytes) { on_bytes(bytes); },
                      .on_end = [this](int sys) { on_end(sys); },
                      .on_written = [this] { flush(); }});
  stream_.write(std::string(codec::peer_magic));
  stream_.read_start();
  if (!greeted_) limit_.start(greeting_limit_ms);
  if (!first.empty()) on_bytes(first);
}

void Link::on_bytes(std::string_view bytes) {
  if (closed_ || closing_) return;
  if (greeted_) return split(bytes);
  const std::size_t missing = codec::peer_magic.size() - greeting_.size();
  greeting_ += bytes.substr(0, missing);
  if (!codec::peer_magic.starts_with(greeting_))
    return end("what answers there is not a zatt node");
  if (greeting_.size() < codec::peer_magic.size()) return;
  greeted_ = true;
  limit_.stop();
  split(bytes.substr(missing));
}

void Link::split(std::string_view bytes) {
  const bool whole = splitter_.feed(bytes, [this](std::string_view frame) {
    events_.on_frame(frame);
    return !closing_ && !closed_;
  });
  if (!whole) end("a frame of impossible length came from " + to_string(remote()));
}

void Link::send(node::Priority priority, std::string frame) {
  if (closed_ || closing_) return;
  ZATT_ASSERT(frame.size() <= codec::max_frame_bytes);
  waiting_bytes_ += codec::frame_length_bytes + frame.size();
  (priority == node::Priority::control ? control_ : bulk_).push_back(std::move(frame));
  if (waiting_bytes_ > max_waiting_bytes) end(to_string(remote()) + " takes nothing any more");
}

void Link::flush() {
  while (!closed_ && waiting_bytes_ > 0 && stream_.queued_bytes() < max_handed_bytes)
    stream_.write(next_chunk());
  if (closing_ && !closed_ && waiting_bytes_ == 0 && stream_.queued_bytes() == 0) {
    whole_ = true;
    end("");
  }
}

std::string Link::next_chunk() {
  std::string chunk;
  const std::size_t room = max_handed_bytes - std::min(stream_.queued_bytes(), max_handed_bytes);
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
  stream_.read_stop();
  limit_.start(closing_limit_ms);
}

void Link::on_end(int sys) {
  const std::string how = sys == 0 ? "" : loop::error_text(sys);
  if (greeted_) return end(sys == 0 ? "it closed the connection" : how);
  end("it closed the connection at once" + (sys == 0 ? "" : ": " + how));
}

void Link::on_limit() { end(closing_ ? "" : "it accepts connections, but says nothing"); }

void Link::end(std::string why) {
  if (closed_) return;
  closed_ = true;
  close_reason_ = std::move(why);
  limit_.stop();
  stream_.read_stop();
  events_.on_closed();
}

}  // namespace zatt::server
