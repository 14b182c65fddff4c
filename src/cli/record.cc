// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/record.h"

#include <utility>

#include "json/parse_error.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

constexpr std::size_t max_depth = 128 + 1;  // a value, in a record

// What is wrong with a field, or "".
std::string take(const json::Field& field, bool& has_key, Record& record) {
  if (field.name == "key") {
    if (field.value.type != json::Type::string) return "its \"key\" is not a string";
    if (std::exchange(has_key, true)) return "duplicate field \"key\"";
    record.key = json::unescaped(field.value.text);
  } else if (field.name == "value") {
    if (!record.value.empty()) return "duplicate field \"value\"";
    record.value = field.value.text;
  } else if (field.name != "rev") {
    return "unknown field " + json::string_text(field.name) + "; known are \"key\" and \"value\"";
  }
  return "";
}

}  // namespace

Record to_record(std::string_view line) {
  Record record;
  bool has_key = false;
  const json::ParseError fault = json::diagnose(line, max_depth, [&](const json::Field& field) {
    if (record.wrong.empty()) record.wrong = take(field, has_key, record);
  });
  if (fault.what.starts_with("an object expected"))
    record.wrong = "not a JSON object, as {\"key\":\"k\",\"value\":1}";
  else if (!fault.what.empty())
    record.wrong = "not JSON: " + json::at_byte(fault);
  else if (record.wrong.empty() && !has_key)
    record.wrong = "it has no \"key\"";
  else if (record.wrong.empty() && record.value.empty())
    record.wrong = "it has no \"value\"";
  return record;
}

}  // namespace zatt::cli
