// SPDX-License-Identifier: AGPL-3.0-or-later
// JSON texts: simdjson's verdict against the slow second pass, and what is handed out.
#include <optional>
#include <vector>

#include "json/writer.h"
#include "tests/fuzz/json_check.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

struct Read {
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<json::ParseError> fault;
};

Read read(std::string_view text, std::size_t depth, char fill) {
  const Padded padded(text, fill);
  Read result;
  json::Reader reader;
  result.fault = reader.read(padded.text(), depth, [&result](const json::Field& field) {
    result.fields.emplace_back(field.name, field.value.text);
  });
  return result;
}

// Every name and string in it, however deep, is one that can be unescaped and written again.
void walk(json::Value value) {
  if (value.type == json::Type::string) {
    const std::string characters = json::unescaped(value.text);
    std::string written;
    json::append_string(written, characters);
    require(is_json_value(written), "a string that is written is JSON");
    require(json::unescaped(written) == characters, "a string that is written reads the same");
  }
  if (value.type != json::Type::array && value.type != json::Type::object) return;
  json::Iterator items(value);
  while (const auto item = items.next()) {
    if (!item->name.empty()) walk({item->name, json::Type::string});
    walk(item->value);
  }
}

void check_value(const std::string& text) {
  const json::Value value = json::value_of(text);
  require(is_json_value(text), "a value handed out is JSON");
  std::string scratch;
  const std::string compact(json::compact(value, scratch));
  require(is_json_value(compact) && is_compact(compact), "a compact value is compact JSON");
  walk(value);
  static_cast<void>(json::as_bool(value));
  if (const auto number = json::as_int64(value)) {
    std::string written;
    json::append_int(written, *number);
    require(written == text || text == "-0", "an integer has one form");
  }
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_json(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  const std::size_t depth = 1 + in.u8() % 140;
  const std::string text(in.rest());
  const fuzz::Read read = fuzz::read(text, depth, '\0');
  for (const char fill : {'"', '}', '1'}) {  // how much is handed out before a fault is open
    const fuzz::Read again = fuzz::read(text, depth, fill);
    fuzz::require(
        again.fault.has_value() == read.fault.has_value() &&
            (read.fault ? again.fault->what == read.fault->what : again.fields == read.fields),
        "what is behind a text does not matter");
  }
  const json::ParseError located = json::diagnose(text, depth, nullptr);
  fuzz::require(read.fault.has_value() == !located.what.empty(), "both passes take the same texts");
  if (read.fault) {
    fuzz::require(read.fault->offset <= text.size(), "a fault is in the text");
    fuzz::require(!json::at_byte(*read.fault).empty(), "a fault has words");
    static_cast<void>(json::at_line(*read.fault, text));
    return 0;
  }
  for (const auto& [name, value] : read.fields) fuzz::check_value(value);
  return 0;
}
