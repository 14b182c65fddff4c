// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/arguments.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/options.h"
#include "base/text.h"

namespace zatt {
namespace {

struct Flag : OptionName {
  std::string_view setting;  // the value's name; empty: an action, or a remote's part
};

constexpr Flag flags[] = {
    {{"--config", 'c', "a file"}, "config"},
    {{"--id", 'i', "an id"}, "id"},
    {{"--storage", 's', "a directory"}, "storage"},
    {{"--address", 'a', "a host"}, "address"},
    {{"--port", 'p', "a port"}, "port"},
    {{"--remote-address", 0, "a host"}, ""},
    {{"--remote-port", 0, "a port"}, ""},
    {{"--election-timeout-ms", 0, "milliseconds"}, "election_timeout_ms"},
    {{"--segment-bytes", 0, "a number of bytes"}, "segment_bytes"},
    {{"--max-request-bytes", 0, "a number of bytes"}, "max_request_bytes"},
    {{"--max-buffer-bytes", 0, "a number of bytes"}, "max_buffer_bytes"},
    {{"--create", 0, "\"auto\" or \"never\""}, "create"},
    {{"--debug", 0, ""}, "debug"},
    {{"--check-config", 0, ""}, ""},
    {{"--print-config", 0, ""}, ""},
    {{"--help", 'h', ""}, ""},
    {{"--version", 0, ""}, ""},
};

Error wrong(const std::string& what) { return {Code::invalid, 0, "", what}; }

std::string unknown(const std::string& option, const OptionParser& options) {
  const std::string meant(options.nearest_to(option));
  return "unknown option " + option +
         (meant.empty() ? "; see zattd --help" : "; did you mean " + meant + "?");
}

// Gathers the options one after the other; the first that is wrong ends it.
class Parser {
 public:
  // `value` is "true" for an option without one.
  Status take(const Flag& flag, const std::string& value);
  Result<Arguments> finish();  // all have been taken: what is still missing is an error

 private:
  // Half of a remote node's address; its other half makes it whole.
  Status take_remote(bool is_host, const std::string& value);

  Arguments arguments_;
  std::optional<std::string> host_;  // of a remote whose other half has not come yet
  std::optional<std::uint16_t> port_;
};

Status Parser::take(const Flag& flag, const std::string& value) {
  if (!flag.setting.empty()) {
    const std::string from(flag.name);
    const auto [place, added] =
        arguments_.settings.emplace(flag.setting, config::RawSetting{value, from});
    if (!added && place->second.text != value)
      return wrong(from + " is given twice: " + place->second.text + " and " + value);
    return ok;
  }
  if (flag.name == "--remote-address") return take_remote(true, value);
  if (flag.name == "--remote-port") return take_remote(false, value);
  if (flag.name == "--check-config") arguments_.action = Action::check_config;
  if (flag.name == "--print-config") arguments_.action = Action::print_config;
  return ok;
}

Status Parser::take_remote(bool is_host, const std::string& value) {
  if (is_host ? host_.has_value() : port_.has_value())
    return wrong("--remote-address and --remote-port come in pairs: one of each a node");
  if (is_host) {
    if (const std::string what = config::what_is_wrong_with_host(value); !what.empty())
      return wrong("--remote-address " + quote(value) + ": " + what);
    host_ = value;
  } else {
    port_ = config::to_port(value);
    if (!port_)
      return wrong("--remote-port " + quote(value) + ": a port is a number from 1 to 65535");
  }
  if (host_ && port_) {
    arguments_.remotes.push_back({*host_, *port_});
    host_.reset();
    port_.reset();
  }
  return ok;
}

Result<Arguments> Parser::finish() {
  if (host_) return wrong("--remote-address " + *host_ + " has no --remote-port");
  if (port_) return wrong("--remote-port " + std::to_string(*port_) + " has no --remote-address");
  return std::move(arguments_);
}

}  // namespace

Result<Arguments> parse_arguments(std::span<const std::string> arguments) {
  using Kind = OptionParser::Kind;
  Parser parser;
  OptionParser options(arguments, {std::begin(flags), std::end(flags)}, {});
  while (const auto item = options.next()) {
    if (item->kind == Kind::operand)
      return wrong(quote(item->text) + " is not an option; see zattd --help");
    if (item->kind == Kind::unknown) return wrong(unknown(item->text, options));
    const Flag& flag = flags[item->row];
    if (flag.name == "--help" || flag.name == "--version") {  // whatever else is wrong
      Arguments only;
      only.action = flag.name == "--help" ? Action::help : Action::version;
      return only;
    }
    if (item->kind == Kind::unexpected_value) return wrong(item->text + " takes no value");
    if (item->kind == Kind::missing_value)
      return wrong(item->text + " needs " + std::string(flag.value));
    if (const Status taken = parser.take(flag, item->value.value_or("true")); !taken)
      return taken.error();
  }
  return parser.finish();
}

namespace {

constexpr std::string_view prefix = "ZATT_";

std::string variable_of(std::string_view name) {
  std::string variable(prefix);
  for (const char c : name) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

std::vector<std::string> own_variables() {
  std::vector<std::string> variables = {variable_of("config")};
  for (const std::string_view name : config::setting_names) variables.push_back(variable_of(name));
  return variables;
}

bool is_link(std::string_view value) {
  return value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://");
}

// ZATT_SERVICE_HOST, ZATT_SERVICE_PORT_NAME, ZATT_PORT_5254_TCP_ADDR: of a service named zatt, in
// Kubernetes and in Docker's links.
bool is_of_a_service(std::string_view name) {
  return name.starts_with("ZATT_SERVICE_") || name.starts_with("ZATT_PORT_");
}

// Others read these: the command line client, and what tests zatt.
bool is_for_others(std::string_view name) {
  return name == "ZATT_SERVERS" || name.starts_with("ZATT_SHIM_") || name.starts_with("ZATT_TEST_");
}

}  // namespace

config::RawSettings from_environment(const Environment& environment) {
  std::vector<std::string_view> names(std::begin(config::setting_names),
                                      std::end(config::setting_names));
  names.push_back("config");
  config::RawSettings settings;
  for (const std::string_view name : names) {
    const std::string variable = variable_of(name);
    auto value = environment(variable);
    if (value && !value->empty() && !(name == "port" && is_link(*value)))
      settings.emplace(name, config::RawSetting{std::move(*value), variable});
  }
  return settings;
}

std::vector<std::string> odd_environment(std::span<const std::string> lines) {
  const std::vector<std::string> own = own_variables();
  std::vector<std::string_view> known(std::begin(config::setting_names),
                                      std::end(config::setting_names));
  known.push_back("config");
  std::vector<std::string> odd;
  for (const std::string& line : lines) {
    const std::size_t equals = line.find('=');
    if (!line.starts_with(prefix) || equals == std::string::npos) continue;
    const std::string_view name = std::string_view(line).substr(0, equals);
    const std::string_view value = std::string_view(line).substr(equals + 1);
    if (name == "ZATT_PORT" && is_link(value)) {
      odd.push_back("ZATT_PORT=" + std::string(value) +
                    " is ignored: it is not a port, but what Kubernetes sets for a service named "
                    "zatt; -p sets this node's port");
    } else if (!is_of_a_service(name) && !is_for_others(name) &&
               std::find(own.begin(), own.end(), name) == own.end()) {
      const std::string_view meant = nearest(name.substr(prefix.size()), known);
      odd.push_back(std::string(name) + " in the environment is ignored: there is no such setting" +
                    (meant.empty() ? "" : "; did you mean " + variable_of(meant) + "?"));
    }
  }
  return odd;
}

}  // namespace zatt
