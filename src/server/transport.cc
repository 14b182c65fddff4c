// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/transport.h"

#include <utility>

#include "base/release.h"
#include "loop/loop.h"

namespace zatt::server {

std::optional<std::string_view> Transport::open(std::string_view wire) {
  if (!layer_) return wire;
  release(plain_);
  std::string answer;
  const bool is_good = layer_->open(wire, plain_, answer);
  stream_.write(std::move(answer));
  if (!is_good) return std::nullopt;
  const std::size_t size = plain_.size();
  plain_.append(loop::Loop::read_slack_bytes, '\0');
  return std::string_view(plain_).substr(0, size);
}

void Transport::write(std::string&& plain) {
  if (!layer_) return stream_.write(std::move(plain));
  std::string wire;
  layer_->seal(plain, wire);
  stream_.write(std::move(wire));
}

}  // namespace zatt::server
