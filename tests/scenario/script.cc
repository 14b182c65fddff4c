// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/script.h"

#include <algorithm>
#include <sstream>

namespace zatt::test {

Words split(const std::string& text, char separator) {
  Words parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

Words words_of(const std::string& text) {
  std::istringstream in(text);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::vector<Words> statements_of(const std::string& script) {
  std::vector<Words> statements;
  for (const std::string& line : split(script, '\n'))
    for (const std::string& statement : split(line.substr(0, line.find('#')), ';'))
      if (Words words = words_of(statement); !words.empty()) statements.push_back(std::move(words));
  return statements;
}

Option option_in(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) return {word, ""};
  return {word.substr(0, equals), word.substr(equals + 1)};
}

bool is_among(const std::string& wish, const Words& seen) {
  if (std::find(seen.begin(), seen.end(), wish) != seen.end()) return true;
  const std::size_t sign = wish.find_first_of("<>");
  if (sign == std::string::npos || wish.substr(sign + 1, 1) != "=") return false;
  const auto bound = number_in(wish.substr(sign + 2));
  return std::any_of(seen.begin(), seen.end(), [&](const std::string& word) {
    const Option have = option_in(word);
    const auto number = have.number();
    if (!bound || !number || have.name != wish.substr(0, sign)) return false;
    return wish[sign] == '<' ? *number <= *bound : *number >= *bound;
  });
}

bool Script::is_server(const std::string& word) const {
  return std::find(servers.begin(), servers.end(), word) != servers.end();
}

bool Script::are_servers(const Words& words) {
  for (const std::string& word : words) {
    if (is_server(word)) continue;
    error("no server " + word);
    return false;
  }
  if (words.empty()) error("which server?");
  return !words.empty();
}

Which Script::which(const Words& words) {
  Which meant;
  for (const std::string& word : words) {
    const std::size_t arrow = word.find('>');
    const std::size_t at = word.find('@');
    if (arrow != std::string::npos) {
      meant.from = word.substr(0, arrow);
      meant.to = word.substr(arrow + 1);
      for (const std::string& id : {meant.from, meant.to})
        if (!id.empty()) are_servers({id});
      continue;
    }
    const Option option = option_in(word);
    const bool is_term = option.name == "term" && at == std::string::npos;
    if (!is_term) {
      const std::string kind = word.substr(0, at);
      meant.kind = kind_named(kind);
      if (!meant.kind) error("no kind of message is called " + kind);
    }
    if (!is_term && at == std::string::npos) continue;
    const auto term = is_term ? option.number() : number_in(word.substr(at + 1));
    if (!term) error("which term?");
    meant.term = Term{term.value_or(0)};
  }
  return meant;
}

}  // namespace zatt::test
