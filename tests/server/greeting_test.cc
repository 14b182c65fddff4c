// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/greeting.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "codec/frame.h"
#include "codec/request.h"

using namespace zatt::server;
using namespace std::string_view_literals;

TEST_CASE("who_calls: the first bytes decide, as soon as they can") {
  struct Row {
    std::string_view first;
    Caller want;
  };
  const Row rows[] = {
      {""sv, Caller::unknown},
      {"\0"sv, Caller::unknown},
      {"\0za"sv, Caller::unknown},
      {zatt::codec::peer_magic, Caller::peer},
      {"\0zat and frames"sv, Caller::peer},
      {"\0zax"sv, Caller::client},
      {"\0\0\0\0"sv, Caller::client},
      {"{"sv, Caller::client},
      {" "sv, Caller::client},
      {"\n"sv, Caller::client},
      {"hello"sv, Caller::client},
      {"get key"sv, Caller::client},
      {"G"sv, Caller::unknown},
      {"GET"sv, Caller::unknown},
      {"GET "sv, Caller::http},
      {"GETX"sv, Caller::client},
      {"POST / HTTP/1.1\r\n"sv, Caller::http},
      {"PUT "sv, Caller::http},
      {"P"sv, Caller::unknown},
      {"PRI * HTTP/2.0"sv, Caller::http},
      {"OPTIONS"sv, Caller::unknown},
      {"OPTIONS "sv, Caller::http},
      {"\x16"sv, Caller::unknown},
      {"\x16\x03\x01"sv, Caller::tls},
      {"\x16\x02"sv, Caller::client},
      {"*"sv, Caller::unknown},
      {"*1\r\n$4\r\nPING\r\n"sv, Caller::redis},
      {"*a"sv, Caller::client},
      {"PING\r\n"sv, Caller::client},
  };
  for (const Row& row : rows) {
    const std::string shown(row.first);
    CAPTURE(shown);
    CHECK(who_calls(row.first) == row.want);
  }
}

TEST_CASE("who_calls: the longest greeting is enough for every answer") {
  for (int first = 0; first < 256; ++first) {
    for (const std::string_view rest : {"ET / HTT"sv, "ONNECT x"sv, "PTIONS *"sv, "zatzatza"sv}) {
      const std::string bytes = static_cast<char>(first) + std::string(rest.substr(0, 7));
      REQUIRE(bytes.size() == max_greeting_bytes);
      CHECK(who_calls(bytes) != Caller::unknown);
    }
  }
}

TEST_CASE("farewell_to: each reads it in its own way") {
  const std::string sentence(zatt::codec::how_to_ask);
  CHECK(farewell_to(Caller::http) ==
        "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
            std::to_string(sentence.size() + 1) + "\r\nConnection: close\r\n\r\n" + sentence +
            "\n");
  CHECK(farewell_to(Caller::redis) == "-ERR " + sentence + "\r\n");
  CHECK(sentence.find('\n') == std::string::npos);
  CHECK(farewell_to(Caller::tls)
            .starts_with("{\"ok\":false,\"error\":\"bad_request\",\"message\":\"this port takes "
                         "JSON objects"));
}
