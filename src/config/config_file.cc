// SPDX-License-Identifier: AGPL-3.0-or-later
#include "config/config_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "json/parse_error.h"
#include "json/reader.h"
#include "json/value.h"

namespace zatt::config {
namespace {

constexpr std::size_t max_depth = 16;

constexpr std::string_view number_names[] = {"port", "election_timeout_ms", "segment_bytes",
                                             "max_request_bytes", "max_buffer_bytes"};

json::Type wanted_type(std::string_view name) {
  if (name == "debug") return json::Type::boolean;
  const bool number =
      std::find(std::begin(number_names), std::end(number_names), name) != std::end(number_names);
  return number ? json::Type::number : json::Type::string;
}

// Fills in a ConfigFile field by field, and keeps the first error.
class Parser {
 public:
  Parser(const std::string& name, std::string_view text) : name_(name), text_(text) {}

  void on_field(const json::Field& field);
  void set_error(const std::string& what) {
    if (error_.empty()) error_ = name_ + ": " + what;
  }
  const std::string& error() const { return error_; }
  ConfigFile take() { return std::move(file_); }

 private:
  void read_cluster(json::Value value);  // an object of members by id, or a list of them
  void add_member(const std::string& id, json::Value pair);  // [host, port]
  // Where the file's author finds it: "zatt.conf:3:14: ".
  void set_error_at(json::Value value, const std::string& what) {
    const auto offset = static_cast<std::size_t>(value.text.data() - text_.data());
    if (error_.empty()) error_ = name_ + ":" + json::line_and_column(text_, offset) + ": " + what;
  }

  const std::string& name_;
  std::string_view text_;
  std::string error_;
  std::set<std::string, std::less<>> seen_;
  ConfigFile file_;
};

void Parser::on_field(const json::Field& field) {
  const std::string shown = quote(field.name);
  std::vector<std::string_view> known(std::begin(setting_names), std::end(setting_names));
  known.insert(known.begin(), "cluster");
  if (std::find(known.begin(), known.end(), field.name) == known.end())
    return set_error("unknown key " + shown + did_you_mean(field.name, known));
  if (!seen_.emplace(field.name).second) return set_error("duplicate key " + shown);
  if (field.name == "cluster") return read_cluster(field.value);
  const json::Type wanted = wanted_type(field.name);
  if (field.value.type != wanted)
    return set_error_at(field.value, shown + " must be " + std::string(json::to_string(wanted)) +
                                         ", not " + std::string(json::to_string(field.value.type)));
  std::string value = wanted == json::Type::string ? json::unescaped(field.value.text)
                                                   : std::string(field.value.text);
  file_.settings.emplace(field.name, RawSetting{std::move(value), name_});
}

void Parser::read_cluster(json::Value value) {
  const bool list = value.type == json::Type::array;
  if (!list && value.type != json::Type::object)
    return set_error_at(value,
                        "\"cluster\" must be an object, {\"0\": [\"10.0.0.1\", 5254], ...}, or a "
                        "list, [[\"10.0.0.1\", 5254], ...]");
  file_.cluster.emplace();
  json::Iterator members(value);
  for (std::size_t position = 0; const auto item = members.next(); ++position)
    add_member(list ? std::to_string(position) : json::unescaped(item->name), item->value);
  if (file_.cluster->empty()) set_error_at(value, "\"cluster\" names no node");
}

void Parser::add_member(const std::string& id, json::Value pair) {
  const std::string node = "node " + quote(id);
  if (const std::string wrong = what_is_wrong_with_id(id); !wrong.empty())
    return set_error_at(pair, node + ": " + wrong);
  std::vector<json::Value> parts;
  if (pair.type == json::Type::array) {
    json::Iterator walk(pair);
    while (const auto part = walk.next()) parts.push_back(part->value);
  }
  if (parts.size() != 2 || parts[0].type != json::Type::string ||
      parts[1].type != json::Type::number)
    return set_error_at(pair, node + " must be [host, port], like [\"10.0.0.1\", 5254]");
  Address address{json::unescaped(parts[0].text), 0};
  if (const std::string wrong = what_is_wrong_with_host(address.host); !wrong.empty())
    return set_error_at(parts[0], node + ": " + wrong);
  const auto port = to_port(parts[1].text);
  if (!port) return set_error_at(parts[1], node + ": a port is a number from 1 to 65535");
  address.port = *port;
  for (const auto& [other, taken] : *file_.cluster) {
    if (other == id) return set_error_at(pair, "duplicate " + node);
    if (taken == address)
      return set_error_at(
          pair, node + " and node " + quote(other) + " are both at " + to_string(address));
  }
  file_.cluster->emplace(id, std::move(address));
}

}  // namespace

Result<std::string> read_file(const std::string& name) {
  constexpr std::size_t max_bytes = 1 << 20;
  std::FILE* const file = std::fopen(name.c_str(), "rb");
  if (file == nullptr) return Error{Code::invalid, errno, "", "cannot read " + name};
  std::string text;
  char part[4096];
  errno = 0;
  for (std::size_t n = 1; n > 0 && text.size() <= max_bytes; text.append(part, n))
    n = std::fread(part, 1, sizeof part, file);
  const int sys = std::ferror(file) != 0 ? errno : 0;
  std::fclose(file);
  if (sys != 0) return Error{Code::invalid, sys, "", "cannot read " + name};
  if (text.size() > max_bytes)
    return Error{Code::invalid, 0, "",
                 name + " is not a configuration file: it has more than 1 MiB"};
  return text;
}

Result<ConfigFile> parse_config_file(const std::string& name, const std::string& text) {
  std::string padded = text;
  padded.append(json::slack, '\0');
  const std::string_view whole = std::string_view(padded).substr(0, text.size());
  Parser parser(name, whole);
  json::Reader reader;
  const auto fault = reader.read(whole, max_depth,
                                 [&parser](const json::Field& field) { parser.on_field(field); });
  if (fault) return Error{Code::invalid, 0, "", name + ":" + json::at_line(*fault, whole)};
  if (!parser.error().empty()) return Error{Code::invalid, 0, "", parser.error()};
  return parser.take();
}

}  // namespace zatt::config
