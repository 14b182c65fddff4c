// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/value.h"

#include <cstring>

#include "base/assert.h"
#include "base/text.h"
#include "json/kernel.h"

namespace zatt::json {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Whether any byte is a space or below it. Eight at a time: most values have none at all.
bool has_space(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    if (((word - ones * 0x21) & ~word & (ones * 0x80)) != 0) return true;
  }
  for (; left > 0; ++at, --left)
    if (static_cast<unsigned char>(*at) <= 0x20) return true;
  return false;
}

template <class T>
std::optional<T> as_integer(Value value) {
  if (value.type != Type::number) return std::nullopt;
  return to_number<T>(value.text);
}

unsigned hex4(std::string_view digits) {
  const auto number = to_number<unsigned>(digits.substr(0, 4), 16);
  ZATT_ASSERT(number);
  return *number;
}

void append_utf8(unsigned code, std::string& out) {
  const auto tail = [&](unsigned shift) {
    out.push_back(static_cast<char>(0x80 | ((code >> shift) & 0x3f)));
  };
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (code >> 6)));
    tail(0);
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (code >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | (code >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
}

// `rest` begins behind a backslash. Answers how many bytes the escape had.
std::size_t unescape_one(std::string_view rest, std::string& out) {
  ZATT_ASSERT(!rest.empty());
  switch (rest[0]) {
    case 'b':
      return out.push_back('\b'), 1;
    case 'f':
      return out.push_back('\f'), 1;
    case 'n':
      return out.push_back('\n'), 1;
    case 'r':
      return out.push_back('\r'), 1;
    case 't':
      return out.push_back('\t'), 1;
    case 'u':
      break;
    default:
      return out.push_back(rest[0]), 1;
  }
  ZATT_ASSERT(rest.size() >= 5);
  const unsigned code = hex4(rest.substr(1));
  if (code < 0xd800 || code > 0xdbff) return append_utf8(code, out), 5;
  ZATT_ASSERT(rest.size() >= 11);  // a checked text has the pair's other half here
  const unsigned low = hex4(rest.substr(7));
  append_utf8(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
  return 11;
}

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::null:
      return "null";
    case Type::boolean:
      return "true or false";
    case Type::number:
      return "a number";
    case Type::string:
      return "a string";
    case Type::array:
      return "an array";
    case Type::object:
      return "an object";
  }
  return "";
}

Value value_of(std::string_view text) {
  ZATT_ASSERT(!text.empty());
  switch (text[0]) {
    case '{':
      return {text, Type::object};
    case '[':
      return {text, Type::array};
    case '"':
      return {text, Type::string};
    case 't':
    case 'f':
      return {text, Type::boolean};
    case 'n':
      return {text, Type::null};
    default:
      return {text, Type::number};
  }
}

std::optional<bool> as_bool(Value value) {
  if (value.type != Type::boolean) return std::nullopt;
  return value.text[0] == 't';
}

std::optional<std::int64_t> as_int64(Value value) { return as_integer<std::int64_t>(value); }
std::optional<std::uint64_t> as_uint64(Value value) { return as_integer<std::uint64_t>(value); }

void unescape(std::string_view text, std::string& out) {
  ZATT_ASSERT(text.size() >= 2 && text.front() == '"' && text.back() == '"');
  std::string_view rest = text.substr(1, text.size() - 2);
  while (!rest.empty()) {
    const std::size_t plain = rest.find('\\');
    out.append(rest.substr(0, plain));
    if (plain == std::string_view::npos) return;
    rest.remove_prefix(plain + 1);
    rest.remove_prefix(unescape_one(rest, out));
  }
}

std::string unescaped(std::string_view text) {
  std::string out;
  unescape(text, out);
  return out;
}

std::string_view compact(Value value, std::string& scratch) {
  const bool nested = value.type == Type::array || value.type == Type::object;
  if (!nested || !has_space(value.text)) return value.text;
  minify(value.text, scratch);
  return scratch;
}

Iterator::Iterator(Value container)
    : rest_(container.text), named_(container.type == Type::object) {
  ZATT_ASSERT(container.type == Type::object || container.type == Type::array);
  rest_.remove_prefix(1);
}

std::optional<Iterator::Item> Iterator::next() {
  skip_space();
  if (rest_.front() == ',') rest_.remove_prefix(1);
  skip_space();
  if (rest_.front() == '}' || rest_.front() == ']') return std::nullopt;
  Item item;
  if (named_) {
    item.name = take_string();
    skip_space();
    ZATT_ASSERT(rest_.front() == ':');
    rest_.remove_prefix(1);
    skip_space();
  }
  item.value = value_of(take_value());
  return item;
}

// Always leaves at least one byte: a checked container ends with its bracket.
void Iterator::skip_space() {
  while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  ZATT_ASSERT(!rest_.empty());
}

std::string_view Iterator::take_string() {
  std::size_t end = 1;
  while (true) {
    end = rest_.find_first_of("\"\\", end);
    ZATT_ASSERT(end != std::string_view::npos);
    if (rest_[end] == '"') break;
    end += 2;
  }
  const std::string_view text = rest_.substr(0, end + 1);
  rest_.remove_prefix(end + 1);
  return text;
}

std::string_view Iterator::take_value() {
  const std::string_view begin = rest_;
  std::size_t open = 0;
  do {
    const char first = rest_.front();
    if (first == '"') {
      take_string();
    } else if (open == 0 && first != '{' && first != '[') {
      rest_.remove_prefix(rest_.find_first_of(",]} \t\n\r"));
    } else {
      if (first == '{' || first == '[') ++open;
      if (first == '}' || first == ']') --open;
      rest_.remove_prefix(1);
    }
    ZATT_ASSERT(!rest_.empty());
  } while (open > 0);
  return begin.substr(0, begin.size() - rest_.size());
}

}  // namespace zatt::json
