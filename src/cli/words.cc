// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/words.h"

#include <utility>

namespace zatt::cli {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

class Splitter {
 public:
  explicit Splitter(std::string_view line) : line_(line) {}

  Words split() {
    for (;;) {
      while (!at_end() && is_blank(line_[at_])) ++at_;
      if (at_end() || line_[at_] == '#') break;
      std::string word;
      take_word(word);
      if (!found_.wrong.empty()) break;
      found_.words.push_back(std::move(word));
    }
    return std::move(found_);
  }

 private:
  bool at_end() const { return at_ == line_.size(); }

  void take_word(std::string& word) {
    if (line_[at_] == '{' || line_[at_] == '[') take_json(word);
    while (!at_end() && !is_blank(line_[at_]) && found_.wrong.empty()) {
      const char c = line_[at_++];
      if (c == '\'')
        take_single(word);
      else if (c == '"')
        take_double(word);
      else if (std::string_view(";|&<>").find(c) != std::string_view::npos)
        return refuse(c);
      else if (c != '\\')
        word += c;
      else if (at_end())
        found_.wrong = "a \\ ends the line, and there is nothing after it to be taken as it is";
      else
        word += line_[at_++];
    }
  }

  void take_single(std::string& word) {
    const std::size_t end = line_.find('\'', at_);
    if (end == std::string_view::npos) return unclosed('\'');
    word += line_.substr(at_, end - at_);
    at_ = end + 1;
  }

  void take_double(std::string& word) {
    for (; !at_end() && line_[at_] != '"'; ++at_) {
      const bool escapes =
          line_[at_] == '\\' && at_ + 1 < line_.size() &&
          std::string_view("\"\\$`").find(line_[at_ + 1]) != std::string_view::npos;
      if (escapes) ++at_;
      word += line_[at_];
    }
    if (at_end()) return unclosed('"');
    ++at_;
  }

  void take_json(std::string& word) {
    const std::size_t begin = at_;
    std::size_t depth = 0;
    bool in_string = false;
    for (; !at_end(); ++at_) {
      const char c = line_[at_];
      if (in_string && c == '\\' && at_ + 1 < line_.size())
        ++at_;
      else if (c == '"')
        in_string = !in_string;
      else if (!in_string && (c == '{' || c == '['))
        ++depth;
      else if (!in_string && (c == '}' || c == ']') && --depth == 0)
        break;
    }
    if (at_end()) return unclosed(line_[begin]);
    word = line_.substr(begin, ++at_ - begin);
  }

  // Whoever types it means what a shell would do with it.
  void refuse(char c) {
    found_.wrong = std::string("a ") + c +
                   " means nothing here: a line is one command; '...' takes any text as it is";
  }

  void unclosed(char c) {
    found_.wrong = std::string("a ") + c + " is not closed in this line; '...' takes " +
                   (c == '\'' ? "all up to the next '" : "any text as it is") +
                   ", and a newline in JSON is \\n";
  }

  const std::string_view line_;
  std::size_t at_ = 0;
  Words found_;
};

}  // namespace

Words to_words(std::string_view line) { return Splitter(line).split(); }

std::string to_typed(std::string_view word) {
  const bool plain = !word.empty() &&
                     word.find_first_of(" \t\r\v\f\n'\"\\;|&<>") == std::string::npos &&
                     std::string_view("#{[").find(word[0]) == std::string_view::npos;
  if (plain) return std::string(word);
  std::string typed = "'";
  for (const char c : word) typed += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return typed + "'";
}

}  // namespace zatt::cli
