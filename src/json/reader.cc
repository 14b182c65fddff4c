// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/reader.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <new>
#include <string>

#if SIMDJSON_EXCEPTIONS
#error "build with -DSIMDJSON_EXCEPTIONS=0: an exception from here would be a remote kill"
#endif

namespace zatt::json {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;

static_assert(slack >= simdjson::SIMDJSON_PADDING);

// A parser holds about six bytes for each byte of the longest text it has read: one long line must
// not be paid for until the process ends.
constexpr std::size_t kept_capacity = 256 * 1024;
constexpr std::size_t least_capacity = 4 * 1024;

constexpr int malformed = -1;

std::string_view trimmed(std::string_view token) {
  const std::size_t last = token.find_last_not_of(" \t\n\r");
  return token.substr(0, last + 1);  // npos + 1 is 0
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool is_number(std::string_view token) {
  const char* at = token.data();
  const char* const end = at + token.size();
  const auto digits = [&] {
    const char* const begin = at;
    while (at != end && *at >= '0' && *at <= '9') ++at;
    return at != begin;
  };
  if (at != end && *at == '-') ++at;
  const char* const integer = at;
  if (!digits()) return false;
  if (*integer == '0' && at - integer > 1) return false;
  if (at != end && *at == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (!digits()) return false;
  }
  return at == end;
}

// A string without a backslash is whole once simdjson has found its quotes: control characters and
// UTF-8 were checked with them. One that has some is unescaped, which checks each.
int check_string(ondemand::value& value, std::string_view token) {
  if (token.find('\\') != std::string_view::npos) {
    std::string_view characters;
    return value.get_string().get(characters) ? malformed : 0;
  }
  // Taken, not skipped: simdjson would skip from `"a":"b"` over `:1` in {"a":"b":1}.
  ondemand::raw_json_string taken;
  if (value.get_raw_json_string().get(taken)) return malformed;
  return token.size() >= 2 && token.back() == '"' ? 0 : malformed;
}

int check_value(ondemand::value& value, std::size_t max_depth);

// simdjson counts no depth, so the recursion is bounded here.
int check_array(ondemand::value& value, std::size_t max_depth) {
  ondemand::array array;
  if (max_depth == 0 || value.get_array().get(array)) return malformed;
  int deepest = 0;
  for (auto result : array) {
    ondemand::value element;
    // NOLINTNEXTLINE(performance-move-const-arg): get() takes rvalues only
    if (std::move(result).get(element)) return malformed;
    const int depth = check_value(element, max_depth - 1);
    if (depth == malformed) return malformed;
    deepest = std::max(deepest, depth);
  }
  return deepest + 1;
}

int check_object(ondemand::value& value, std::size_t max_depth) {
  ondemand::object object;
  if (max_depth == 0 || value.get_object().get(object)) return malformed;
  int deepest = 0;
  for (auto result : object) {
    ondemand::field field;
    std::string_view name;
    if (std::move(result).get(field) || field.unescaped_key().get(name)) return malformed;
    const int depth = check_value(field.value(), max_depth - 1);
    if (depth == malformed) return malformed;
    deepest = std::max(deepest, depth);
  }
  return deepest + 1;
}

// The depth of a value that is JSON to its last token, or malformed.
int check_value(ondemand::value& value, std::size_t max_depth) {
  const std::string_view token = trimmed(value.raw_json_token());
  switch (token.empty() ? '\0' : token[0]) {
    case '{':
      return check_object(value, max_depth);
    case '[':
      return check_array(value, max_depth);
    case '"':
      return check_string(value, token);
    case 't':
      return token == "true" ? 0 : malformed;
    case 'f':
      return token == "false" ? 0 : malformed;
    case 'n':
      return token == "null" ? 0 : malformed;
    default:
      return is_number(token) ? 0 : malformed;
  }
}

// Everything from the value's first byte to its last, once the value has been walked.
bool whole_text(ondemand::document& document, std::string_view token, std::string_view& text) {
  if (token[0] != '{' && token[0] != '[') {
    text = trimmed(token);
    return true;
  }
  const char* next = nullptr;  // the , or } behind it
  if (document.current_location().get(next)) return false;
  const char* const begin = token.data();
  text = trimmed({begin, static_cast<std::size_t>(next - begin)});
  return true;
}

bool read_fields(ondemand::document& document, std::size_t max_depth, const OnField& on_field,
                 bool& begun) {
  ondemand::object object;
  if (max_depth == 0 || document.get_object().get(object)) return false;
  for (auto result : object) {
    ondemand::field field;
    Field out;
    if (std::move(result).get(field) || field.unescaped_key().get(out.name)) return false;
    const std::string_view token = field.value().raw_json_token();
    const int depth = check_value(field.value(), max_depth - 1);
    if (depth == malformed) return false;
    std::string_view text;
    if (!whole_text(document, token, text)) return false;
    out.value = value_of(text);
    out.depth = static_cast<std::size_t>(depth);
    begun = true;
    on_field(out);
  }
  const char* more = nullptr;  // behind the end there is nowhere to be
  return document.current_location().get(more) == simdjson::OUT_OF_BOUNDS;
}

}  // namespace

struct Reader::Impl {
  ondemand::parser parser;

  void make_room(std::size_t size) {
    const std::size_t wanted = std::max(size, least_capacity);
    if (wanted <= parser.capacity()) return;
    const error_code error = parser.allocate(std::bit_ceil(wanted));
    if (error != simdjson::SUCCESS) throw std::bad_alloc();  // there is no other reason
  }
};

Reader::Reader() : impl_(std::make_unique<Impl>()) {}
Reader::~Reader() = default;

std::optional<ParseError> Reader::read(std::string_view text, std::size_t max_depth,
                                       const OnField& on_field) {
  impl_->make_room(text.size());
  bool begun = false;
  bool whole = false;
  {
    ondemand::document document;
    whole = !impl_->parser.iterate(text, text.size() + slack).get(document) &&
            read_fields(document, max_depth, on_field, begun);
  }
  if (impl_->parser.capacity() > kept_capacity) impl_->parser = ondemand::parser();
  if (whole) return std::nullopt;
  // simdjson refuses some texts before their first field: then the second pass hands them out.
  ParseError fault = diagnose(text, max_depth, begun ? OnField() : on_field);
  if (fault.what.empty()) fault.what = "not JSON";
  return fault;
}

}  // namespace zatt::json
