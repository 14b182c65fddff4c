// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/json.h"

#include <algorithm>
#include <utility>

namespace zatt::cli {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) { skip_space(); }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    skip_space();
    return true;
  }
  bool at_end() const { return at_ == text_.size(); }

  // With its quotes.
  std::optional<std::string_view> string() {
    const std::size_t begin = at_;
    if (!skip_string()) return std::nullopt;
    const std::string_view found = text_.substr(begin, at_ - begin);
    skip_space();
    return found;
  }

  std::optional<std::string_view> value() {
    const std::size_t begin = at_;
    if (!skip_value() || at_ == begin) return std::nullopt;
    const std::string_view found = text_.substr(begin, at_ - begin);
    skip_space();
    return found;
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool skip_string() {
    if (at_ == text_.size() || text_[at_] != '"') return false;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') return ++at_, true;
      if (text_[at_] == '\\') ++at_;
    }
    at_ = text_.size();
    return false;
  }
  bool skip_value() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return true;  // of what is around it
        --depth;
        ++at_;
      } else if (depth == 0) {
        return skip_word();
      } else {
        ++at_;
        continue;
      }
      if (depth == 0) return true;
    }
    return false;
  }
  bool skip_word() {
    at_ = std::min(text_.find_first_of(" \t\r\n,:{}[]\"", at_), text_.size());
    return true;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

void append_utf8(std::string& out, unsigned code) {
  const auto add = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  }
}

// Four hex digits.
std::optional<unsigned> code_unit(std::string_view& rest) {
  if (rest.size() < 4) return std::nullopt;
  unsigned code = 0;
  for (const char c : rest.substr(0, 4)) {
    const bool digit = c >= '0' && c <= '9';
    const char lower = static_cast<char>(c | 0x20);
    if (!digit && !(lower >= 'a' && lower <= 'f')) return std::nullopt;
    code = 16 * code + static_cast<unsigned>(digit ? c - '0' : lower - 'a' + 10);
  }
  rest.remove_prefix(4);
  return code;
}

bool append_code(std::string& out, std::string_view& rest) {
  auto code = code_unit(rest);
  if (!code || (*code >= 0xdc00 && *code < 0xe000)) return false;
  if (*code >= 0xd800 && *code < 0xdc00) {
    if (rest.substr(0, 2) != "\\u") return false;
    rest.remove_prefix(2);
    const auto low = code_unit(rest);
    if (!low || *low < 0xdc00 || *low >= 0xe000) return false;
    code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
  }
  append_utf8(out, *code);
  return true;
}

// `rest` is behind a backslash.
bool append_escaped(std::string& out, std::string_view& rest) {
  if (rest.empty()) return false;
  const char c = rest[0];
  rest.remove_prefix(1);
  if (c == 'u') return append_code(out, rest);
  constexpr std::string_view names = "bfnrt\"\\/";
  constexpr std::string_view meant = "\b\f\n\r\t\"\\/";
  const std::size_t at = names.find(c);
  if (at == std::string_view::npos) return false;
  out += meant[at];
  return true;
}

}  // namespace

std::optional<std::vector<Field>> fields_of(std::string_view object) {
  Scanner scanner(object);
  std::vector<Field> fields;
  if (!scanner.take('{')) return std::nullopt;
  bool more = !scanner.take('}');
  while (more) {
    const auto string = scanner.string();
    auto name = string ? characters_of(*string) : std::nullopt;
    if (!name || !scanner.take(':')) return std::nullopt;
    const auto value = scanner.value();
    if (!value) return std::nullopt;
    fields.push_back({std::move(*name), *value});
    more = scanner.take(',');
    if (!more && !scanner.take('}')) return std::nullopt;
  }
  if (!scanner.at_end()) return std::nullopt;
  return fields;
}

std::optional<std::vector<std::string_view>> elements_of(std::string_view array) {
  Scanner scanner(array);
  std::vector<std::string_view> elements;
  if (!scanner.take('[')) return std::nullopt;
  bool more = !scanner.take(']');
  while (more) {
    const auto value = scanner.value();
    if (!value) return std::nullopt;
    elements.push_back(*value);
    more = scanner.take(',');
    if (!more && !scanner.take(']')) return std::nullopt;
  }
  if (!scanner.at_end()) return std::nullopt;
  return elements;
}

std::optional<std::string> characters_of(std::string_view string) {
  if (string.size() < 2 || string.front() != '"' || string.back() != '"') return std::nullopt;
  std::string_view rest = string.substr(1, string.size() - 2);
  std::string out;
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (static_cast<unsigned char>(c) < 0x20 || c == '"') return std::nullopt;
    if (c != '\\')
      out += c;
    else if (!append_escaped(out, rest))
      return std::nullopt;
  }
  return out;
}

std::string_view text_of(const std::vector<Field>& fields, std::string_view name) {
  for (const Field& field : fields)
    if (field.name == name) return field.text;
  return {};
}

}  // namespace zatt::cli
