// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/record.h"

#include <utility>

#include "base/text.h"
#include "cli/json.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

Record wrong(std::string sentence) { return {"", "", std::move(sentence)}; }

}  // namespace

Record to_record(std::string_view line) {
  if (!is_utf8(line)) return wrong("not UTF-8 text");
  const auto fields = fields_of(line);
  if (!fields) return wrong("not a JSON object, as {\"key\":\"k\",\"value\":1}");
  Record record;
  bool has_key = false;
  for (const Field& field : *fields) {
    if (field.name == "key") {
      auto key = characters_of(field.text);
      if (!key) return wrong("its \"key\" is not a string");
      if (has_key) return wrong("two fields \"key\"");
      has_key = true;
      record.key = std::move(*key);
    } else if (field.name == "value") {
      if (!record.value.empty()) return wrong("two fields \"value\"");
      record.value = field.text;
    } else if (field.name != "rev") {
      return wrong("no field " + json::string_text(field.name) +
                   " is known here, but \"key\" and \"value\"");
    }
  }
  if (!has_key) return wrong("it has no \"key\"");
  if (record.value.empty()) return wrong("it has no \"value\"");
  return record;
}

}  // namespace zatt::cli
