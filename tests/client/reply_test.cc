// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/reply.h"

#include <doctest/doctest.h>

#include <string>

#include "codec/json_response.h"

using namespace zatt;
using namespace zatt::client;

namespace {

std::optional<Reply> read(std::string line) {
  ReplyReader reader;
  const std::size_t size = line.size();
  line.reserve(size + json::slack);
  return reader.read({line.data(), size});
}

}  // namespace

TEST_CASE("what a reply says") {
  const auto get = read(R"({"ok":true,"id":1,"found":true,"value":{"a":[1.0]},"rev":7})");
  REQUIRE(get);
  CHECK(get->outcome == Outcome::ok);
  CHECK(get->found);
  CHECK(get->value == R"({"a":[1.0]})");
  CHECK(get->rev == 7);
  CHECK(get->line == R"({"ok":true,"id":1,"found":true,"value":{"a":[1.0]},"rev":7})");

  const auto absent = read(R"({"ok":true,"found":false})");
  REQUIRE(absent);
  CHECK(!absent->found);
  CHECK(!absent->value);

  const auto incr = read(R"({"ok":true,"value":-9223372036854775808,"rev":8})");
  REQUIRE(incr);
  CHECK(incr->number == INT64_MIN);

  const auto count = read(R"({"ok":true,"count":12,"at":9})");
  REQUIRE(count);
  CHECK(count->number == 12);
  CHECK(count->at == 9);

  const auto scan = read(
      R"({"ok":true,"items":[{"key":"a\n\u00e9","value":"x","rev":1},{"key":"","rev":2}],"more":true,"at":3})");
  REQUIRE(scan);
  REQUIRE(scan->items.size() == 2);
  CHECK(scan->items[0].key == "a\né");
  CHECK(scan->items[0].value == "\"x\"");
  CHECK(scan->items[1].key.empty());
  CHECK(scan->items[1].value.empty());
  CHECK(scan->items[1].rev == 2);
  CHECK(scan->more);
}

TEST_CASE("who is who, from a status") {
  const auto status = read(
      R"({"ok":true,"node":"a","role":"follower","leader":"b","cluster":"77","members":{"a":{"address":["127.0.0.1",5254],"voter":true},"b":{"voter":true,"address":["::1",1]},"c":{"address":["x",0]},"d":{"address":5}},"keys":1})");
  REQUIRE(status);
  CHECK(status->node == "a");
  CHECK(status->leader == "b");
  CHECK(status->cluster == "77");
  REQUIRE(status->members.size() == 2);
  CHECK(status->members[1].id == "b");
  CHECK(status->members[1].host == "::1");
  const auto no_leader = read(R"({"ok":true,"node":"a","leader":null,"members":{}})");
  REQUIRE(no_leader);
  CHECK(!no_leader->leader);
}

TEST_CASE("every code of the protocol is known, and none of ours is believed") {
  for (int i = 0; i <= static_cast<int>(codec::ErrorCode::shutting_down); ++i) {
    const std::string code(codec::to_string(static_cast<codec::ErrorCode>(i)));
    const auto reply = read(R"({"ok":false,"error":")" + code + R"(","message":"so"})");
    REQUIRE(reply);
    CHECK(to_string(reply->outcome) == code);
    CHECK(reply->message == "so");
  }
  for (const char* code : {"ok", "no_server", "canceled", "refused", "quota", ""}) {
    const auto reply = read(R"({"ok":false,"error":")" + std::string(code) + R"(","message":""})");
    REQUIRE(reply);
    CHECK(reply->outcome == Outcome::refused);
  }
}

TEST_CASE("what is no reply") {
  for (const char* line :
       {"", "x", "{}", "[]", "true", R"({"ok":1})", R"({"ok":true)", R"({"ok":true}x)",
        R"({"ok":true,"rev":-1})", R"({"ok":true,"found":"yes"})", R"({"ok":true,"items":{}})",
        R"({"ok":true,"items":[1]})", R"({"ok":true,"count":1.5})", R"({"ok":false,"error":7})",
        R"({"ok":true,"leader":1})", R"({"error":"no_leader"})", "HTTP/1.1 400 Bad Request"}) {
    CAPTURE(line);
    CHECK(!read(line));
  }
}

TEST_CASE("what a later version says besides is passed over") {
  const auto reply = read(R"({"ok":true,"rev":3,"shard":{"a":[1]}})");
  REQUIRE(reply);
  CHECK(reply->rev == 3);
}
