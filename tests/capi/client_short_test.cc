// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/capi/clients.h"
#include "tests/capi/fake_server.h"
#include "zatt/zatt.h"

using namespace zatt::capi::test;

namespace {

// Gives the same answer to whatever it is asked, and keeps the lines.
struct Answering {
  explicit Answering(std::string_view answer)
      : server([this, answer](Peer& peer, int) {
          std::string line;
          while (peer.line(line)) {
            const bool greets = line.find("\"status\"") != line.npos;
            if (!greets) {
              const std::lock_guard lock(mutex);
              lines.push_back(line.substr(0, line.find(",\"timeout_ms\"")));
            }
            if (!peer.say(greets ? std::string_view(FakeServer::status) : answer)) return;
          }
        }) {}
  std::string last() {
    const std::lock_guard lock(mutex);
    return lines.empty() ? "" : lines.back();
  }

  std::mutex mutex;
  std::vector<std::string> lines;
  FakeServer server;  // ends first
};

}  // namespace

TEST_CASE("zatt_client: writes under a condition, in one call") {
  Answering answering("{\"ok\":true,\"rev\":12,\"value\":3,\"existed\":true}\n");
  const Client held = client_of(answering.server.address(), 5'000);
  zatt_client* const client = held.get();
  const zatt_reply* reply = nullptr;
  CHECK(zatt_client_set_if(client, "k", "[1, 2]", zatt_if_absent(), &reply) == ZATT_OK);
  CHECK(answering.last() == R"({"op":"set","key":"k","value":[1,2],"if":{"exists":false})");
  REQUIRE(reply != nullptr);
  CHECK(reply->rev == 12);
  CHECK(zatt_client_set_if(client, "k", "1", zatt_if_exists(), nullptr) == ZATT_OK);
  CHECK(answering.last() == R"({"op":"set","key":"k","value":1,"if":{"exists":true})");
  CHECK(zatt_client_set_if(client, "k", "1", zatt_if_rev(1ull << 40), nullptr) == ZATT_OK);
  CHECK(answering.last() == R"({"op":"set","key":"k","value":1,"if":{"rev":1099511627776})");
  CHECK(zatt_client_set_if(client, "k", "1", zatt_if_value("{\"a\": 1}"), nullptr) == ZATT_OK);
  CHECK(answering.last() == R"({"op":"set","key":"k","value":1,"if":{"value":{"a":1}})");
  CHECK(zatt_client_delete_if(client, "k", zatt_if_rev(7), nullptr) == ZATT_OK);
  CHECK(answering.last() == R"({"op":"delete","key":"k","if":{"rev":7})");
  CHECK(zatt_client_incr_if(client, "k", -2, zatt_if_value("5"), &reply) == ZATT_OK);
  CHECK(answering.last() == R"({"op":"incr","key":"k","by":-2,"if":{"value":5})");
  CHECK(reply->number == 3);
}

TEST_CASE("zatt_client: a condition that breaks a rule is never sent") {
  const Client client = client_of("127.0.0.1:1");
  const zatt_reply* reply = nullptr;
  CHECK(zatt_client_set_if(client.get(), "k", "1", zatt_if_value("nope"), &reply) == ZATT_EINVAL);
  CHECK(std::string(zatt_client_message(client.get())) ==
        "if: JSON text expected: \"nope\" with its quotes");
  REQUIRE(reply != nullptr);
  CHECK(reply->error == ZATT_EINVAL);
  CHECK(zatt_client_delete_if(client.get(), "k", zatt_if_value(nullptr), nullptr) == ZATT_EINVAL);
  CHECK(zatt_client_delete_if(client.get(), "k", zatt_condition_of(77), nullptr) == ZATT_EINVAL);
  CHECK(zatt_client_set_if(client.get(), nullptr, "1", zatt_if_absent(), nullptr) == ZATT_EINVAL);
  CHECK(zatt_client_set_if(nullptr, "k", "1", zatt_if_absent(), &reply) == ZATT_EINVAL);
  CHECK(reply == nullptr);
}

TEST_CASE("zatt_client: a condition that does not hold shows what is there") {
  Answering answering(
      "{\"ok\":false,\"error\":\"condition_failed\",\"message\":\"no\",\"found\":true,"
      "\"value\":[5],\"rev\":9}\n");
  const Client client = client_of(answering.server.address(), 5'000);
  const zatt_reply* reply = nullptr;
  CHECK(zatt_client_set_if(client.get(), "k", "1", zatt_if_rev(8), &reply) == ZATT_ECONDITION);
  REQUIRE(reply != nullptr);
  CHECK(reply->found == 1);
  CHECK(std::string(reply->value.data) == "[5]");
  CHECK(reply->rev == 9);
}

TEST_CASE("zatt_client: what the last call lent may be passed to the next") {
  const std::string value = "\"" + std::string(200, 'x') + "\"";
  const std::string answer = "{\"ok\":true,\"found\":true,\"value\":" + value + ",\"rev\":3}\n";
  Answering answering(answer);
  const Client client = client_of(answering.server.address(), 5'000);
  const zatt_reply* reply = nullptr;
  CHECK(zatt_client_get(client.get(), "k", &reply) == ZATT_OK);
  CHECK(zatt_client_set_if(client.get(), "k", "1", zatt_if_value(reply->value.data), &reply) ==
        ZATT_OK);
  CHECK(answering.last() ==
        "{\"op\":\"set\",\"key\":\"k\",\"value\":1,\"if\":{\"value\":" + value + "}");
  CHECK(zatt_client_set(client.get(), "k2", reply->value.data, nullptr) == ZATT_OK);
  CHECK(answering.last() == "{\"op\":\"set\",\"key\":\"k2\",\"value\":" + value);
}

TEST_CASE("zatt_client: text that lacks its quotes is named, and nothing is said of shells") {
  const Client client = client_of("127.0.0.1:1");
  CHECK(zatt_client_set(client.get(), "k", "hello", nullptr) == ZATT_EINVAL);
  CHECK(std::string(zatt_client_message(client.get())) ==
        "JSON text expected: \"hello\" with its quotes");
  CHECK(zatt_client_set(client.get(), "k", "{a:1}", nullptr) == ZATT_EINVAL);
  CHECK(std::string(zatt_client_message(client.get())) ==
        "value is not JSON: byte 2: a name in double quotes expected");
}

TEST_CASE("zatt_client: ZATT_ENOTFOUND is a server's word, and never said of a key") {
  Answering absent("{\"ok\":true,\"found\":false,\"value\":null,\"existed\":false,\"rev\":4}\n");
  const Client client = client_of(absent.server.address(), 5'000);
  const zatt_reply* reply = nullptr;
  CHECK(zatt_client_get(client.get(), "k", &reply) == ZATT_OK);
  CHECK(reply->found == 0);
  int found = 1;
  CHECK(zatt_client_delete(client.get(), "k", &found) == ZATT_OK);
  CHECK(found == 0);

  Answering later("{\"ok\":false,\"error\":\"not_found\",\"message\":\"no member 9\"}\n");
  const Client other = client_of(later.server.address(), 5'000);
  CHECK(zatt_client_line(other.get(), R"({"op":"remove","id":"9"})", &reply) == ZATT_ENOTFOUND);
  CHECK(zatt_error_kind(ZATT_ENOTFOUND) == ZATT_KIND_NO);
}

TEST_CASE("zatt_client: no reply is lent from within a callback") {
  Answering answering("{\"ok\":true,\"found\":false,\"value\":null,\"rev\":1}\n");
  const Client client = client_of(answering.server.address(), 5'000);
  static const zatt_reply stale = {};
  static const zatt_reply* seen;
  seen = &stale;
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  request.key = zatt_str("k");
  const auto ask_again = [](void* user, const zatt_reply*) {
    CHECK(zatt_client_get(static_cast<zatt_client*>(user), "k", &seen) == ZATT_EBUSY);
  };
  REQUIRE(zatt_client_send(client.get(), &request, ask_again, client.get()) == ZATT_OK);
  CHECK(zatt_client_get(client.get(), "k", nullptr) == ZATT_OK);
  CHECK(seen == nullptr);
}
