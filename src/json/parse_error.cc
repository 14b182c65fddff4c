// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/parse_error.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/text.h"

namespace zatt::json {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// One pass over one text. Each part answers whether it went well; if not, fault_ says why.
class Pass {
 public:
  Pass(std::string_view text, std::size_t max_depth, const OnField& on_field)
      : text_(text), max_depth_(max_depth), on_field_(on_field) {}

  ParseError run() {
    if (begin() && middle()) {
      skip_space();
      if (at_ < text_.size()) fail(at_, "nothing may follow the end of the object");
    }
    return std::move(fault_);
  }

 private:
  enum class Next { name_or_end, name, element_or_end, value, comma_or_end };

  bool fail(std::size_t offset, std::string what) {
    fault_ = {offset, std::move(what)};
    return false;
  }
  bool fail_unquoted(const char* what) {
    fault_ = {at_, what, true};
    return false;
  }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool at_end() const { return at_ >= text_.size(); }
  void skip_space() {
    while (!at_end() && std::string_view(" \t\n\r").find(peek()) != std::string_view::npos) ++at_;
  }
  std::string_view word() const {
    std::size_t end = at_;
    while (end < text_.size() && is_letter(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }

  bool begin() {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") return fail(0, "a byte-order mark; leave it out");
    skip_space();
    if (peek() == '{') return open(Next::name_or_end);
    const std::string_view letters = word();
    const bool taken = peek() == '\'' || (!letters.empty() && peek(letters.size()) == ':');
    if (taken) return fail_unquoted("an object expected: { and names in double quotes");
    return fail(at_, "an object expected, beginning with {");
  }

  bool middle() {
    while (!open_.empty()) {
      skip_space();
      if (!step()) return false;
    }
    return true;
  }

  bool step() {
    if (at_end()) return fail(at_, std::string("the text ends before ") + closer() + " does");
    switch (next_) {
      case Next::name_or_end:
        if (peek() == '}') return close();
        return name();
      case Next::name:
        return name();
      case Next::element_or_end:
        if (peek() == ']') return close();
        return value();
      case Next::value:
        return value();
      case Next::comma_or_end:
        break;
    }
    const bool closes = peek() == closer()[0];
    if (!closes && peek() != ',') return fail(at_, std::string(", or ") + closer() + " expected");
    hand_out();
    if (closes) return close();
    ++at_;
    next_ = in_object() ? Next::name : Next::value;
    return true;
  }

  bool in_object() const { return open_.back() == '{'; }
  const char* closer() const { return in_object() ? "}" : "]"; }

  bool open(Next next) {
    if (open_.size() == max_depth_) return fail(at_, "nested too deep");
    open_.push_back(peek());
    deepest_ = std::max(deepest_, open_.size());
    ++at_;
    next_ = next;
    return true;
  }
  bool close() {
    open_.pop_back();
    ++at_;
    return value_done();
  }
  bool value_done() {
    next_ = Next::comma_or_end;
    if (open_.size() == 1) value_end_ = at_;
    return true;
  }
  // Only what stands behind a value shows that it ends there: 1g0 is no 1.
  void hand_out() {
    if (open_.size() != 1 || !on_field_) return;
    const Value value = value_of(text_.substr(value_begin_, value_end_ - value_begin_));
    on_field_({unescaped(name_), value, deepest_ - 1});
  }

  bool name() {
    if (peek() != '"') {
      const bool taken = peek() == '\'' || is_letter(peek());
      constexpr const char* what = "a name in double quotes expected";
      return taken ? fail_unquoted(what) : fail(at_, what);
    }
    const std::size_t begin = at_;
    if (!string()) return false;
    if (open_.size() == 1) name_ = text_.substr(begin, at_ - begin);
    skip_space();
    if (peek() != ':') return fail(at_, ": expected after the name");
    ++at_;
    next_ = Next::value;
    return true;
  }

  bool value() {
    if (open_.size() == 1) {
      value_begin_ = at_;
      deepest_ = 1;
    }
    const char first = peek();
    if (first == '{') return open(Next::name_or_end);
    if (first == '[') return open(Next::element_or_end);
    if (first == '"') return string() && value_done();
    if (first == '-' || is_digit(first)) return number() && value_done();
    return literal() && value_done();
  }

  bool literal() {
    const std::string_view letters = word();
    if (letters == "true" || letters == "false" || letters == "null") {
      at_ += letters.size();
      return true;
    }
    for (const std::string_view known : {"true", "false", "null"})
      if (letters.size() >= 2 && letters.substr(0, 2) == known.substr(0, 2))
        return fail(at_, std::string(known) + " expected");
    const bool taken = peek() == '\'' || (peek() >= 'a' && peek() <= 'z');
    if (taken) return fail_unquoted("a value expected, strings in double quotes");
    return fail(at_, "a value expected");
  }

  bool digits() {
    if (!is_digit(peek())) return fail(at_, "a digit expected");
    while (is_digit(peek())) ++at_;
    return true;
  }
  bool number() {
    if (peek() == '-') ++at_;
    if (peek() == '0' && is_digit(peek(1))) return fail(at_, "a number may not begin with 0");
    if (!digits()) return false;
    if (peek() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (peek() != 'e' && peek() != 'E') return true;
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    return digits();
  }

  bool string() {
    const std::size_t begin = at_++;
    while (!at_end()) {
      const auto c = static_cast<unsigned char>(peek());
      if (c == '"') return ++at_, true;
      if (c < 0x20)
        return fail(at_, "a raw control character in a string: write it as \\u" + hex(c, 4));
      if (c == '\\') {
        if (!escape()) return false;
        continue;
      }
      const std::size_t length = utf8_length(text_.substr(at_));
      if (length == 0) return fail(at_, "not UTF-8: 0x" + hex(c, 2));
      at_ += length;
    }
    return fail(begin, "a string without an end");
  }

  bool escape() {
    if (peek(1) != 'u') {
      if (peek(1) == '\0' || std::string_view("\"\\/bfnrt").find(peek(1)) == std::string_view::npos)
        return fail(at_, "no such escape in a string; a backslash itself is \\\\");
      at_ += 2;
      return true;
    }
    const std::optional<unsigned> code = hex4(2);
    if (!code) return fail(at_, "four hexadecimal digits expected after \\u");
    if (*code < 0xd800 || *code > 0xdfff) return at_ += 6, true;
    const bool high = *code < 0xdc00;
    const std::optional<unsigned> low =
        high && peek(6) == '\\' && peek(7) == 'u' ? hex4(8) : std::nullopt;
    if (!low || *low < 0xdc00 || *low > 0xdfff) return fail(at_, "half of a surrogate pair");
    at_ += 12;
    return true;
  }
  std::optional<unsigned> hex4(std::size_t ahead) const {
    if (text_.size() < at_ + ahead + 4) return std::nullopt;
    return to_number<unsigned>(text_.substr(at_ + ahead, 4), 16);
  }

  std::string_view text_;
  std::size_t max_depth_;
  const OnField& on_field_;
  std::size_t at_ = 0;
  std::string open_;  // the brackets that are open; never longer than max_depth_
  Next next_ = Next::value;
  std::string_view name_;  // of the outermost object's field at hand, and its value
  std::size_t value_begin_ = 0;
  std::size_t value_end_ = 0;
  std::size_t deepest_ = 1;
  ParseError fault_;
};

}  // namespace

std::string at_byte(const ParseError& fault) {
  return "byte " + std::to_string(fault.offset + 1) + ": " + fault.what;
}

std::string at_line(const ParseError& fault, std::string_view text) {
  return line_and_column(text, fault.offset) + ": " + fault.what;
}

std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::string_view line =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto lines = 1 + std::count(before.begin(), before.end(), '\n');
  return std::to_string(lines) + ":" + std::to_string(1 + utf8_count(line));
}

ParseError diagnose(std::string_view text, std::size_t max_depth, const OnField& on_field) {
  return Pass(text, max_depth, on_field).run();
}

}  // namespace zatt::json
