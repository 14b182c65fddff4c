// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/lingering_close.h"

#include <utility>

#include "base/assert.h"

namespace zatt::server {
namespace {

constexpr std::uint64_t limit_ms = 1000;
constexpr std::size_t max_leaving = 256;  // beyond it the oldest has had its time

}  // namespace

void LingeringClose::close(loop::Stream stream, std::string last_bytes) {
  if (leaving_.size() >= max_leaving) leaving_.erase(leaving_.begin());
  const std::uint64_t number = ++last_number_;
  const auto leave = [this, number] { leaving_.erase(number); };
  const auto [entry, added] = leaving_.try_emplace(
      number, Leaving{.stream = std::move(stream), .limit = loop::Timer(loop_, leave)});
  ZATT_ASSERT(added);
  Leaving& leaving = entry->second;
  leaving.stream.set_events({.on_bytes = [](std::string_view) {},
                             .on_end = [leave](int) { leave(); },
                             .on_written = nullptr});
  leaving.stream.write(std::move(last_bytes));
  leaving.stream.shut_down();
  leaving.stream.read_start();
  leaving.limit.start(limit_ms);
}

}  // namespace zatt::server
