// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/speakers.h"

#include <algorithm>

#include "json/fault.h"
#include "json/writer.h"

namespace zatt::test {
namespace {

std::string quoted(const std::string& word) {
  std::string text;
  json::append_string(text, word);
  return text;
}

// Numbers, literals and what begins like JSON stand for themselves, any other word is a string.
std::string value_in(const std::string& word) {
  const bool is_literal = word == "null" || word == "true" || word == "false";
  const bool is_json =
      is_literal || std::string_view("\"[{-0123456789").find(word.front()) != std::string::npos;
  return is_json ? word : quoted(word);
}

// What is said and how it is to be understood: ok, failed and its code, unknown; then each field.
Words words_of_answer(std::string_view line) {
  Words words;
  bool ok = false;
  std::string error;
  static_cast<void>(json::locate(line, 128, [&](const json::Field& field) {
    const std::string name(field.name);
    if (field.value.type == json::Type::string) {
      const std::string text = json::unescaped(field.value.text);
      if (name == "error") error = text;
      if (name != "message") words.push_back(name + "=" + text);
    } else {
      if (name == "ok") ok = field.value.text == "true";
      words.push_back(name + "=" + std::string(field.value.text));
    }
  }));
  if (!error.empty()) words.insert(words.begin(), error);
  words.insert(words.begin(), ok ? "ok" : error == "outcome_unknown" ? "unknown" : "failed");
  return words;
}

}  // namespace

Speakers::Speakers(Script& script, sim::Cluster& cluster) : script_(script), cluster_(cluster) {
  cluster_.on_own_connection = [this](node::ClientId connection,
                                      std::optional<std::string_view> line) {
    hear(connection, line);
  };
}

bool Speakers::perform(const Words& words) {
  if (words.front() == "client") {
    arrive(words);
    return true;
  }
  const auto it = by_name_.find(words.front());
  if (it == by_name_.end()) return false;
  Speaker& speaker = it->second;
  if (words.size() == 2 && words[1] == "leaves")
    leave(speaker);
  else if (speaker.connection == 0)
    script_.error("its connection has ended");
  else if (words.size() > 2 && words[1] == "say")
    say(speaker, join(Words(words.begin() + 2, words.end())));
  else if (const auto line = line_of(Words(words.begin() + 1, words.end())))
    say(speaker, *line);
  else
    script_.error("CLIENT get K|set K V|delete K|incr K [N]|count|say LINE [timeout=MS]");
  return true;
}

// client c at 1: a new one, or the same elsewhere, over a new connection
void Speakers::arrive(const Words& words) {
  if (words.size() != 4 || words[2] != "at") return script_.error("client NAME at SERVER");
  if (!script_.are_servers({words[3]})) return;
  Speaker& speaker = by_name_[words[1]];
  leave(speaker);
  speaker.node = static_cast<sim::NodeNumber>(*number_in(words[3]));
  const node::ClientId connection = ++last_connection_;
  if (!cluster_.open(speaker.node, connection)) return script_.error(words[3] + " is down");
  speaker.connection = connection;
  by_connection_[connection] = words[1];
}

void Speakers::leave(Speaker& speaker) {
  if (speaker.connection == 0) return;
  const node::ClientId connection = speaker.connection;
  hear(connection, std::nullopt);
  cluster_.close(speaker.node, connection);
}

// stale get k timeout=500
std::optional<std::string> Speakers::line_of(Words words) const {
  std::string fields;
  if (words.front() == "stale") {
    fields += ",\"stale\":true";
    words.erase(words.begin());
  }
  if (const Option option = option_in(words.back()); option.name == "timeout" && option.number()) {
    fields += ",\"timeout_ms\":" + option.value;
    words.pop_back();
  }
  if (words.empty()) return std::nullopt;
  const std::string op = words.front();
  const std::size_t n = words.size() - 1;
  const bool has_key = op == "get" || op == "set" || op == "delete" || op == "incr";
  if (has_key ? n == 0 : op != "count" || n > 0) return std::nullopt;
  if (n != (op == "set" ? 2U : has_key ? 1U : 0U) && !(op == "incr" && n == 2)) return std::nullopt;
  std::string line = "{\"op\":\"" + op + "\"";
  if (has_key) line += ",\"key\":" + quoted(words[1]);
  if (op == "set") line += ",\"value\":" + value_in(words[2]);
  if (op == "incr" && n == 2) line += ",\"by\":" + words[2];
  return line + fields + "}";
}

void Speakers::say(Speaker& speaker, std::string line) {
  speaker.requests.push_back({line, {}});
  cluster_.send(speaker.node, speaker.connection, std::move(line));
}

void Speakers::hear(node::ClientId connection, std::optional<std::string_view> line) {
  const auto it = by_connection_.find(connection);
  if (it == by_connection_.end()) return;
  Speaker& speaker = by_name_.at(it->second);
  if (!line) {
    while (speaker.answered < speaker.requests.size())
      speaker.requests[speaker.answered++].answer = Words{"lost"};
    speaker.connection = 0;
    by_connection_.erase(it);
  } else if (speaker.answered < speaker.requests.size()) {
    speaker.requests[speaker.answered++].answer = words_of_answer(*line);
  } else {
    script_.error("an answer that " + it->second + " did not ask for: " + std::string(*line));
  }
}

// --- what is expected ----------------------------------------------------------------------------

std::string Speakers::why_not(const Words& condition) const {
  const Speaker& speaker = by_name_.at(condition.front());
  if (condition.size() < 2) return "expect CLIENT ok|failed|unknown|lost|pending WORD...";
  if (speaker.expected == speaker.requests.size()) return "it has asked nothing more";
  const Request& request = speaker.requests[speaker.expected];
  const bool is_pending = condition[1] == "pending";
  if (!request.answer) return is_pending ? "" : "no answer to " + request.line;
  const Words& answer = *request.answer;
  const std::string instead = "to " + request.line + ": " + join(answer);
  const Words outcomes = split(condition[1], '|');
  if (std::find(outcomes.begin(), outcomes.end(), answer.front()) == outcomes.end()) return instead;
  for (auto word = condition.begin() + 2; word != condition.end(); ++word)
    if (!is_among(*word, answer)) return instead;
  return "";
}

void Speakers::on_expected(const Words& condition) {
  if (condition[1] != "pending") ++by_name_.at(condition.front()).expected;
}

}  // namespace zatt::test
