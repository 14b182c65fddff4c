// SPDX-License-Identifier: AGPL-3.0-or-later
// The words of a scenario, and what is said about them.
//
// Statements end at `;` or the end of the line, `#` begins a comment. What is wrong with one, or
// with what came of it, is a line of the outcome that begins with `error:`, so no scenario can
// expect it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "tests/support/which.h"

namespace zatt::test {

using Words = std::vector<std::string>;

Words split(const std::string& text, char separator);
Words words_of(const std::string& text);
inline std::string join(const Words& words) { return zatt::join(words, " "); }
inline std::optional<std::uint64_t> number_in(std::string_view text) {
  return to_number<std::uint64_t>(text);
}
std::vector<Words> statements_of(const std::string& script);

// `name=value`; the value is empty where there is no `=`.
struct Option {
  std::string name;
  std::string value;
  std::optional<std::uint64_t> number() const { return number_in(value); }
};
Option option_in(const std::string& word);

// A wish about one word of what is seen: `leader`, `commit_index=5`, `commit_index>=5`, `terms<=0`.
bool is_among(const std::string& wish, const Words& seen);

class Script {
 public:
  // --- what is being done, and what came of it ---
  void begin(const Words& statement) { statement_ = join(statement); }
  const std::string& statement() const { return statement_; }
  void error(const std::string& what) { lines_.push_back("error: " + statement_ + ": " + what); }
  void show(std::string line) { lines_.push_back(std::move(line)); }
  const std::vector<std::string>& lines() const { return lines_; }

  // --- words, as both worlds mean them; says what is wrong where something is ---
  Words servers;  // that there are
  bool is_server(const std::string& word) const;
  bool are_servers(const Words& words);
  // append, append@3, term=3, 1>2, 1>, >2: in any order, each at most once
  Which which(const Words& words);

 private:
  std::string statement_;
  std::vector<std::string> lines_;
};

}  // namespace zatt::test
