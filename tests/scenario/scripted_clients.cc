// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/scenario/scripted_clients.h"

#include <algorithm>

#include "json/parse_error.h"
#include "json/writer.h"

namespace zatt::test {
namespace {

using OpKind = sim::Op::Kind;

// Numbers, literals and what begins like JSON stand for themselves, any other word is a string.
std::string value_in(const std::string& word) {
  const bool is_literal = word == "null" || word == "true" || word == "false";
  const bool is_json =
      is_literal || std::string_view("\"[{-0123456789").find(word.front()) != std::string::npos;
  return is_json ? word : json::string_text(word);
}

std::optional<OpKind> kind_of_op(const std::string& word) {
  if (word == "get") return OpKind::get;
  if (word == "set") return OpKind::set;
  if (word == "delete") return OpKind::del;
  if (word == "incr") return OpKind::incr;
  if (word == "count") return OpKind::count;
  return std::nullopt;
}

// As the script expects it: ok, or failed and its code, or unknown; then each field.
Words words_of_answer(std::string_view line) {
  Words words;
  bool ok = false;
  std::string error;
  static_cast<void>(json::diagnose(line, 128, [&](const json::Field& field) {
    const std::string name(field.name);
    const bool is_string = field.value.type == json::Type::string;
    const std::string text =
        is_string ? json::unescaped(field.value.text) : std::string(field.value.text);
    if (name == "ok") ok = text == "true";
    if (name == "error") error = text;
    if (name != "message" && name != "ok" && name != "error") words.push_back(name + "=" + text);
  }));
  if (!error.empty()) words.insert(words.begin(), error);
  words.insert(words.begin(), ok ? "ok" : error == "outcome_unknown" ? "unknown" : "failed");
  return words;
}

// And as the history has it.
void read_answer(std::string_view line, const Words& words, sim::Op& op) {
  using Outcome = sim::Op::Outcome;
  const bool condition_failed = words.size() > 1 && words[1] == "condition_failed";
  op.outcome = words.front() == "ok"        ? Outcome::done
               : words.front() == "unknown" ? Outcome::unknown
               : condition_failed           ? Outcome::condition_failed
                                            : Outcome::failed;
  static_cast<void>(json::diagnose(line, 128, [&](const json::Field& field) {
    if (field.name == "found") op.found = field.value.text == "true";
    if (field.name == "value") op.told = field.value.text;
    if (field.name == "rev" || field.name == "at") op.rev = number_in(field.value.text).value_or(0);
    if (field.name == "count") op.number = number_in(field.value.text).value_or(0);
  }));
}

}  // namespace

ScriptedClients::ScriptedClients(Script& script, sim::Cluster& cluster)
    : script_(script), cluster_(cluster) {
  cluster_.on_own_connection = [this](node::ClientId connection,
                                      std::optional<std::string_view> line) {
    hear(connection, line);
  };
}

bool ScriptedClients::perform(const Words& words) {
  if (words.front() == "client") {
    arrive(words);
    return true;
  }
  const auto it = by_name_.find(words.front());
  if (it == by_name_.end()) return false;
  ScriptedClient& speaker = it->second;
  if (words.size() == 2 && words[1] == "leaves")
    leave(speaker);
  else if (speaker.connection == node::ClientId{})
    script_.error("its connection has ended");
  else if (words.size() > 2 && words[1] == "say")
    say(speaker, {join(Words(words.begin() + 2, words.end())), {}, {}});
  else if (!ask(speaker, Words(words.begin() + 1, words.end())))
    script_.error("CLIENT get K|set K V|delete K|incr K [N]|count|say LINE [timeout=MS]");
  return true;
}

// client c at 1: a new one, or the same elsewhere, over a new connection
void ScriptedClients::arrive(const Words& words) {
  if (words.size() != 4 || words[2] != "at") return script_.error("client NAME at SERVER");
  if (!script_.are_servers({words[3]})) return;
  ScriptedClient& speaker = by_name_[words[1]];
  leave(speaker);
  speaker.node = static_cast<sim::NodeNumber>(*number_in(words[3]));
  const node::ClientId connection = ++last_connection_;
  if (!cluster_.open(speaker.node, connection)) return script_.error(words[3] + " is down");
  speaker.connection = connection;
  by_connection_[connection] = words[1];
}

void ScriptedClients::leave(ScriptedClient& speaker) {
  if (speaker.connection == node::ClientId{}) return;
  const node::ClientId connection = speaker.connection;
  hear(connection, std::nullopt);
  cluster_.close(speaker.node, connection);
}

// stale get k timeout=500. False: it is no request.
bool ScriptedClients::ask(ScriptedClient& speaker, Words words) {
  std::string fields;
  const bool stale = words.front() == "stale";
  if (stale) fields += ",\"stale\":true";
  if (stale) words.erase(words.begin());
  if (words.empty()) return false;
  if (const Option option = option_in(words.back()); option.name == "timeout" && option.number()) {
    fields += ",\"timeout_ms\":" + option.value;
    words.pop_back();
  }
  const auto kind = words.empty() ? std::nullopt : kind_of_op(words.front());
  if (!kind) return false;
  const std::size_t wanted = *kind == OpKind::count ? 1 : *kind == OpKind::set ? 3 : 2;
  const bool has_by = *kind == OpKind::incr && words.size() == 3;
  if (words.size() != wanted && !has_by) return false;
  sim::Op op;
  op.kind = stale && *kind == OpKind::get ? OpKind::stale_get : *kind;
  op.connection = raw(speaker.connection);
  op.invoked_us = cluster_.now_us();
  std::string line = "{\"op\":\"" + words[0] + "\"";
  if (wanted > 1) line += ",\"key\":" + json::string_text(op.key = words[1]);
  if (*kind == OpKind::set) line += ",\"value\":" + (op.value = value_in(words[2]));
  if (has_by) line += ",\"by\":" + words[2];
  say(speaker, {line + fields + "}", std::move(op), {}});
  return true;
}

void ScriptedClients::say(ScriptedClient& speaker, Request request) {
  std::string line = request.line;
  speaker.requests.push_back(std::move(request));
  cluster_.send(speaker.node, speaker.connection, std::move(line));
}

void ScriptedClients::hear(node::ClientId connection, std::optional<std::string_view> line) {
  const auto it = by_connection_.find(connection);
  if (it == by_connection_.end()) return;
  ScriptedClient& speaker = by_name_.at(it->second);
  const auto answer = [&](Words words) -> std::optional<sim::Op>& {
    Request& request = speaker.requests[speaker.answered++];
    request.answer = std::move(words);
    if (request.op) request.op->completed_us = cluster_.now_us();
    if (request.op) request.op->answer = ++last_answer_;
    return request.op;
  };
  if (!line) {
    while (speaker.answered < speaker.requests.size())
      if (auto& op = answer({"lost"}); op && is_write(op->kind))
        op->outcome = sim::Op::Outcome::unknown;
    speaker.connection = {};
    by_connection_.erase(it);
  } else if (speaker.answered < speaker.requests.size()) {
    const Words words = words_of_answer(*line);
    if (auto& op = answer(words)) read_answer(*line, words, *op);
  } else {
    script_.error("an answer that " + it->second + " did not ask for: " + std::string(*line));
  }
}

std::vector<sim::Op> ScriptedClients::ops() const {
  std::vector<sim::Op> all;
  for (const auto& [name, speaker] : by_name_)
    for (const Request& request : speaker.requests)
      if (request.op) all.push_back(*request.op);
  return all;
}

// --- what is expected ----------------------------------------------------------------------------

std::string ScriptedClients::why_not(const Words& condition) const {
  const ScriptedClient& speaker = by_name_.at(condition.front());
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

void ScriptedClients::on_expected(const Words& condition) {
  if (condition[1] != "pending") ++by_name_.at(condition.front()).expected;
}

}  // namespace zatt::test
