// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt.conf, as anybody may have written it.
#include "config/config_file.h"
#include "config/settings.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

int fuzz_config_file(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  const std::string text(fuzz::Input(data, size).rest());
  auto file = config::parse_config_file("zatt.conf", text);
  if (!file) {
    fuzz::require(file.error().code == Code::invalid && !to_string(file.error()).empty(),
                  "a file that is none is invalid, in words");
    return 0;
  }
  config::Inputs sources;
  sources.file = std::move(*file);
  sources.wants_id = false;
  const auto settings = config::resolve(std::move(sources));
  if (settings)
    fuzz::require(!config::summary(*settings).empty(), "what was judged can be said");
  else
    fuzz::require(!to_string(settings.error()).empty(), "an error has words");
  return 0;
}
