// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/frame_splitter.h"

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "codec/frame.h"

namespace zatt::server {
namespace {

constexpr std::size_t head = codec::frame_length_bytes;

std::size_t length_of(std::string_view bytes) { return load_le<std::uint32_t>(bytes.data()); }

}  // namespace

bool FrameSplitter::feed(std::string_view bytes, const OnFrame& on_frame) {
  const auto take = [this, &bytes](std::size_t wanted) {  // until kept_ has so many
    const std::size_t n = std::min(bytes.size(), wanted - std::min(wanted, kept_.size()));
    kept_.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    return kept_.size() >= wanted;
  };
  if (!kept_.empty()) {
    if (!take(head)) return true;
    const std::size_t length = length_of(kept_);
    if (length > codec::max_frame_bytes) return false;
    if (!take(head + length)) return true;
    const bool more = on_frame(std::string_view(kept_).substr(head));
    kept_.clear();
    if (!more) return true;
  }
  while (bytes.size() >= head) {
    const std::size_t length = length_of(bytes);
    if (length > codec::max_frame_bytes) return false;
    if (bytes.size() < head + length) break;
    if (!on_frame(bytes.substr(head, length))) return true;
    bytes.remove_prefix(head + length);
  }
  kept_.append(bytes);
  return true;
}

}  // namespace zatt::server
