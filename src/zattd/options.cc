// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/options.h"

#include <utility>

#include "config/config_file.h"

namespace zatt {

Result<Settings> parse(std::span<const std::string> arguments, const Environment& environment,
                       const ReadFile& read_file) {
  auto from_flags = parse_arguments(arguments);
  if (!from_flags) return from_flags.error();
  Settings settings;
  settings.action = from_flags->action;
  if (settings.action == Action::help || settings.action == Action::version) return settings;

  config::Inputs sources;
  sources.raw = std::move(from_flags->settings);
  sources.raw.merge(from_environment(environment));
  sources.remotes = std::move(from_flags->remotes);
  sources.wants_id = settings.action == Action::run;  // the file can be looked at without it
  if (const auto config = sources.raw.find("config"); config != sources.raw.end()) {
    const std::string& name = config->second.text;
    const auto text = read_file(name);
    if (!text) return text.error();
    auto parsed = config::parse_config_file(name, *text);
    if (!parsed) return parsed.error();
    sources.file = std::move(*parsed);
  }
  auto resolved = config::resolve(std::move(sources));
  if (!resolved) return resolved.error();
  static_cast<config::Settings&>(settings) = std::move(*resolved);
  return settings;
}

}  // namespace zatt
