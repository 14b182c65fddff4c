// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's bytes cut into lines: the same however they come, and whoever stops in between.
#include <utility>
#include <vector>

#include "codec/json_lines.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

using Lines = std::vector<std::pair<std::string, bool>>;

// What the header says, plainly.
Lines plain(std::string_view stream, std::size_t most) {
  Lines lines;
  while (!stream.empty()) {
    const std::size_t newline = stream.find('\n');
    std::string_view line = stream.substr(0, newline);
    stream.remove_prefix(newline == std::string_view::npos ? stream.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.size() > most)
      lines.emplace_back("", true);
    else
      lines.emplace_back(line, false);
  }
  return lines;
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_lines(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  const std::size_t most = 1 + in.u8() % 100;
  const std::size_t piece = 1 + in.u8() % 50;
  const std::uint8_t stops = in.u8();  // a bit a line
  const std::string_view stream = in.rest();
  fuzz::Lines lines;
  const auto on_line = [&](std::string_view line, bool too_long) {
    lines.emplace_back(line, too_long);
    return (stops >> (lines.size() % 8) & 1) == 0;
  };
  codec::LineSplitter splitter(most);
  std::size_t fed = 0;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const fuzz::Padded part(stream.substr(at, piece), 'x');
    splitter.feed(part.text(), on_line);
    fed += part.text().size();
    if (stops == 0) fuzz::require(splitter.kept_bytes() <= most + 2, "no more than a line is kept");
    fuzz::require(splitter.kept_bytes() <= fed, "no more is kept than came");
    if (at % 3 == 0) splitter.feed(fuzz::Padded("", '\n').text(), on_line);
  }
  for (std::size_t before = lines.size() + 1; before != lines.size();) {
    before = lines.size();
    splitter.end(on_line);
  }
  fuzz::require(lines == fuzz::plain(stream, most), "the lines are those of the stream");
  return 0;
}
