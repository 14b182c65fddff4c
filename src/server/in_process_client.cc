// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/in_process_client.h"

#include <utility>

#include "base/assert.h"
#include "codec/request.h"

namespace zatt::server {
namespace {

constexpr std::size_t max_kept_bytes = 64 << 10;

}  // namespace

void InProcessEnd::close() {
  who_ = nullptr;
  owner_.on_ready(id_);
}

void InProcessEnd::reply(std::string_view lines) {
  std::string padded = std::exchange(padded_, {});  // keeps its room
  padded.assign(lines);
  padded.append(codec::line_slack, '\0');
  std::string_view rest(padded.data(), lines.size());
  while (!rest.empty() && who_ != nullptr) {
    const std::size_t end = rest.find('\n');
    ZATT_ASSERT(end != std::string_view::npos);  // whole lines
    who_->on_line(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  if (padded.capacity() <= max_kept_bytes) padded_ = std::move(padded);
}

void InProcessEnd::answer(const node::Answer& answer) {
  if (who_ != nullptr) who_->on_answer(answer);
}

void InProcessEnd::want_lines(bool wanted) {
  if (wanted_ == wanted) return;
  wanted_ = wanted;
  if (wanted) owner_.on_ready(id_);
}

void InProcessEnd::resume() {
  if (who_ != nullptr && wanted_) who_->on_room();
}

}  // namespace zatt::server
