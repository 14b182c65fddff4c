// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/json_response.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "kv/command.h"
#include "kv/reply.h"

namespace zatt::codec {
namespace {

template <class Write>
std::string line(const Write& write) {
  std::string out = "before\n";
  write(out);
  return out.substr(7);
}

void write_ping(std::string& out, std::string id) {
  write_json({Ping{}, 5000, std::move(id)}, Done{}, out);
}
void write_get(std::string& out, std::string id, const std::optional<kv::Item>& item, bool stale) {
  write_json({Read{Get{"k"}, stale}, 5000, std::move(id)}, Found{item}, out);
}
void write_count(std::string& out, std::string id, std::uint64_t count, std::uint64_t at,
                 bool stale) {
  write_json({Read{Count{}, stale}, 5000, std::move(id)}, Counted{count, at}, out);
}
void write_scan(std::string& out, std::string id, const kv::Machine::Cursor& cursor,
                std::uint32_t limit, bool keys_only, std::uint64_t at, bool stale) {
  write_json({Read{Scan{"", std::nullopt, limit, keys_only}, stale}, 5000, std::move(id)},
             Page{cursor, at}, out);
}
void write_status(std::string& out, std::string id, const NodeStatus& status) {
  write_json({GetStatus{}, 5000, std::move(id)}, std::make_unique<const NodeStatus>(status), out);
}
void write_of(kv::Op op, std::string& out, std::string id, const kv::Reply& reply) {
  std::string bytes;
  kv::encode(reply, bytes);
  write_json({Write{op, {}}, 5000, std::move(id)}, Applied{bytes, Index{1}}, out);
}
void write_set(std::string& out, const char* id, const kv::Reply& reply) {
  write_of(kv::Op::set, out, id, reply);
}
void write_delete(std::string& out, const char* id, const kv::Reply& reply) {
  write_of(kv::Op::del, out, id, reply);
}
void write_incr(std::string& out, const char* id, const kv::Reply& reply) {
  write_of(kv::Op::incr, out, id, reply);
}

void set(kv::Machine& store, std::string_view key, std::string_view value) {
  kv::Command command;
  command.key = key;
  command.value = value;
  std::string bytes;
  std::string reply;
  kv::encode(command, bytes);
  store.apply(Index{store.rev() + 1}, 0, bytes, reply);
}

std::string scan(const kv::Machine& store, std::uint32_t limit, bool keys_only = false) {
  return line([&](std::string& out) {
    write_scan(out, "", store.scan("", std::nullopt), limit, keys_only, 9, false);
  });
}

}  // namespace

TEST_CASE("reply: ok first, then the id, then the fields in the protocol's order") {
  CHECK(line([](std::string& out) { write_ping(out, ""); }) == "{\"ok\":true}\n");
  CHECK(line([](std::string& out) { write_ping(out, "\"a\\u0041\""); }) ==
        "{\"ok\":true,\"id\":\"a\\u0041\"}\n");
  const kv::Item item{"k", "[1.0]", 7};
  CHECK(line([&](std::string& out) { write_get(out, "3", item, false); }) ==
        "{\"ok\":true,\"id\":3,\"found\":true,\"value\":[1.0],\"rev\":7}\n");
  CHECK(line([&](std::string& out) { write_get(out, "", item, true); }) ==
        "{\"ok\":true,\"found\":true,\"value\":[1.0],\"rev\":7,\"stale\":true}\n");
  CHECK(line([](std::string& out) { write_get(out, "", std::nullopt, false); }) ==
        "{\"ok\":true,\"found\":false}\n");
  CHECK(line([](std::string& out) { write_count(out, "", 3, 9, false); }) ==
        "{\"ok\":true,\"count\":3,\"at\":9}\n");
  CHECK(line([](std::string& out) { write_count(out, "1", 0, 0, true); }) ==
        "{\"ok\":true,\"id\":1,\"count\":0,\"at\":0,\"stale\":true}\n");
  CHECK(line([](std::string& out) {
          write_error(out, "\"x\"", ErrorCode::no_leader, "say \"it\"\n");
        }) ==
        "{\"ok\":false,\"id\":\"x\",\"error\":\"no_leader\",\"message\":\"say \\\"it\\\"\\n\"}\n");
}

TEST_CASE("reply: every code has the protocol's word") {
  const char* const words[] = {
      "bad_request", "too_large",       "condition_failed", "no_leader",    "overloaded",
      "unavailable", "outcome_unknown", "session_expired",  "stale_seq",    "compacted",
      "not_found",   "unauthorized",    "storage_full",     "shutting_down"};
  std::uint8_t code = 0;
  for (const char* word : words) CHECK(to_string(static_cast<ErrorCode>(code++)) == word);
}

TEST_CASE("reply: writes that took effect") {
  kv::Reply reply{.outcome = kv::Outcome::done, .found = true, .rev = 5, .value = "-3"};
  CHECK(line([&](std::string& out) { write_set(out, "", reply); }) == "{\"ok\":true,\"rev\":5}\n");
  CHECK(line([&](std::string& out) { write_delete(out, "", reply); }) ==
        "{\"ok\":true,\"found\":true,\"rev\":5}\n");
  CHECK(line([&](std::string& out) { write_incr(out, "1", reply); }) ==
        "{\"ok\":true,\"id\":1,\"value\":-3,\"rev\":5}\n");
  reply = {};
  CHECK(line([&](std::string& out) { write_delete(out, "", reply); }) ==
        "{\"ok\":true,\"found\":false}\n");
}

TEST_CASE("reply: writes that were refused show what is there") {
  const std::string begin = "{\"ok\":false,\"id\":1,\"error\":\"condition_failed\",\"message\":\"";
  const std::string end = "\",\"found\":true,\"value\":\"x\",\"rev\":4}\n";
  kv::Reply reply{
      .outcome = kv::Outcome::condition_failed, .found = true, .rev = 4, .value = "\"x\""};
  const std::string refused =
      begin + "the condition in \\\"if\\\" does not hold for the key as it is" + end;
  CHECK(line([&](std::string& out) { write_set(out, "1", reply); }) == refused);
  CHECK(line([&](std::string& out) { write_delete(out, "1", reply); }) == refused);
  CHECK(line([&](std::string& out) { write_incr(out, "1", reply); }) == refused);
  reply.outcome = kv::Outcome::not_an_integer;
  CHECK(line([&](std::string& out) { write_incr(out, "1", reply); }) ==
        begin + "the value is not a 64-bit integer without fraction or exponent" + end);
  reply.outcome = kv::Outcome::out_of_range;
  CHECK(line([&](std::string& out) { write_incr(out, "1", reply); }) ==
        begin + "the sum would not fit into a signed 64-bit integer" + end);
  reply = {.outcome = kv::Outcome::condition_failed, .found = false, .rev = 0, .value = ""};
  CHECK(
      line([&](std::string& out) { write_set(out, "1", reply); }) ==
      begin +
          "the condition in \\\"if\\\" does not hold: the key does not exist\",\"found\":false}\n");
  reply = {.outcome = kv::Outcome::malformed, .found = false, .rev = 0, .value = ""};
  CHECK(line([&](std::string& out) { write_set(out, "", reply); }) ==
        "{\"ok\":false,\"error\":\"bad_request\",\"message\":\"the command could not be read\"}\n");
}

TEST_CASE("reply: a page of a scan") {
  kv::Machine store;
  CHECK(scan(store, 10) == "{\"ok\":true,\"items\":[],\"more\":false,\"at\":9}\n");
  set(store, "a\"", "1");
  set(store, "b", "[]");
  CHECK(scan(store, 2) ==
        "{\"ok\":true,\"items\":[{\"key\":\"a\\\"\",\"value\":1,\"rev\":1},"
        "{\"key\":\"b\",\"value\":[],\"rev\":2}],\"more\":false,\"at\":9}\n");
  CHECK(scan(store, 1) ==
        "{\"ok\":true,\"items\":[{\"key\":\"a\\\"\",\"value\":1,\"rev\":1}],\"more\":true,\"at\":9}"
        "\n");
  CHECK(scan(store, 10, true) ==
        "{\"ok\":true,\"items\":[{\"key\":\"a\\\"\",\"rev\":1},{\"key\":\"b\",\"rev\":2}],"
        "\"more\":false,\"at\":9}\n");
  const std::string stale = line([&](std::string& out) {
    write_scan(out, "7", store.scan("b", std::nullopt), 10, true, 3, true);
  });
  CHECK(stale ==
        "{\"ok\":true,\"id\":7,\"items\":[{\"key\":\"b\",\"rev\":2}],\"more\":false,\"at\":3,"
        "\"stale\":true}\n");
}

TEST_CASE("reply: a page ends before it passes 1 MiB, but holds one item") {
  const auto items = [](const std::string& reply) {
    std::size_t count = 0;
    for (std::size_t at = reply.find("\"rev\""); at != std::string::npos;
         at = reply.find("\"rev\"", at + 1))
      ++count;
    return count;
  };
  const auto more = [](const std::string& reply) {
    return reply.find("\"more\":true") != std::string::npos;
  };
  const std::size_t mib = 1024 * 1024;
  const std::size_t frame = std::string(R"({"key":"a","value":"","rev":1})").size();
  // Two items and the comma between them: exactly 1 MiB, then one byte more.
  for (const std::size_t over : {0u, 1u}) {
    kv::Machine store;
    set(store, "a", "\"" + std::string(mib / 2, 'x') + "\"");
    set(store, "b", "\"" + std::string(mib / 2 - 2 * frame - 1 + over, 'x') + "\"");
    const std::string reply = scan(store, 10);
    CHECK(items(reply) == 2 - over);
    CHECK(more(reply) == (over == 1));
  }
  kv::Machine store;
  set(store, "a", "\"" + std::string(3 * mib, 'x') + "\"");
  set(store, "b", "0");
  set(store, "c", "\"" + std::string(3 * mib, 'x') + "\"");
  const std::string reply = scan(store, 10);
  CHECK(items(reply) == 1);
  CHECK(more(reply));
  CHECK(reply.capacity() < 5 * mib);  // the third was not written first and taken out then
  CHECK(items(scan(store, 10, true)) == 3);
  CHECK_FALSE(more(scan(store, 10, true)));
}

TEST_CASE("reply: status") {
  NodeStatus status;
  status.node = "0";
  status.role = "follower";
  status.version = "0.1";
  CHECK(line([&](std::string& out) { write_status(out, "", status); }) ==
        "{\"ok\":true,\"node\":\"0\",\"role\":\"follower\",\"term\":0,\"leader\":null,\"commit\":0,"
        "\"applied\":0,\"last\":0,\"snapshot\":0,\"members\":{},\"keys\":0,\"version\":\"0.1\","
        "\"uptime_s\":0,\"cluster\":\"\"}\n");
  status.role = "leader";
  status.term = Term{3};
  status.leader = "0";
  status.commit = Index{8};
  status.applied = Index{7};
  status.last = Index{9};
  status.snapshot = Index{2};
  status.keys = 4;
  status.uptime_s = 60;
  status.cluster = "ab12";
  status.notice = "a \"word\"";
  status.members.push_back({"0", {"127.0.0.1", 5254}, true, true, std::nullopt, ""});
  status.members.push_back({"1", {"::1", 5255}, false, false, 6, "wiped"});
  CHECK(line([&](std::string& out) { write_status(out, "\"i\"", status); }) ==
        "{\"ok\":true,\"id\":\"i\",\"node\":\"0\",\"role\":\"leader\",\"term\":3,\"leader\":\"0\","
        "\"commit\":8,\"applied\":7,\"last\":9,\"snapshot\":2,\"members\":{"
        "\"0\":{\"address\":[\"127.0.0.1\",5254],\"voter\":true,\"connected\":true},"
        "\"1\":{\"address\":[\"::1\",5255],\"voter\":false,\"match_index\":6,\"connected\":false,"
        "\"notice\":\"wiped\"}},\"keys\":4,\"version\":\"0.1\",\"uptime_s\":60,"
        "\"cluster\":\"ab12\",\"notice\":\"a \\\"word\\\"\"}\n");
}

TEST_CASE("reply: a machine's answer that is none leaves the write's fate unknown") {
  std::string out;
  write_json({Write{kv::Op::set, {}}, 5000, "7"}, Applied{"no reply", Index{1}}, out);
  CHECK(out ==
        "{\"ok\":false,\"id\":7,\"error\":\"outcome_unknown\",\"message\":"
        "\"the leader's answer cannot be read\"}\n");
}

}  // namespace zatt::codec
