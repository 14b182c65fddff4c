// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/protocol_detector.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "codec/json_request.h"
#include "codec/peer_frames.h"

using namespace zatt::server;
using namespace std::string_view_literals;

TEST_CASE("detect_protocol: the first bytes decide, as soon as they can") {
  struct Row {
    std::string_view first;
    Protocol want;
  };
  const Row rows[] = {
      {""sv, Protocol::unknown},
      {"\0"sv, Protocol::unknown},
      {"\0za"sv, Protocol::unknown},
      {zatt::codec::peer_magic, Protocol::peer},
      {"\0zat and frames"sv, Protocol::peer},
      {"\0zax"sv, Protocol::client},
      {"\0\0\0\0"sv, Protocol::client},
      {"{"sv, Protocol::client},
      {" "sv, Protocol::client},
      {"\n"sv, Protocol::client},
      {"hello"sv, Protocol::client},
      {"get key"sv, Protocol::client},
      {"G"sv, Protocol::unknown},
      {"GET"sv, Protocol::unknown},
      {"GET "sv, Protocol::http},
      {"GETX"sv, Protocol::client},
      {"POST / HTTP/1.1\r\n"sv, Protocol::http},
      {"PUT "sv, Protocol::http},
      {"P"sv, Protocol::unknown},
      {"PRI * HTTP/2.0"sv, Protocol::http},
      {"OPTIONS"sv, Protocol::unknown},
      {"OPTIONS "sv, Protocol::http},
      {"\x16"sv, Protocol::unknown},
      {"\x16\x03\x01"sv, Protocol::tls},
      {"\x16\x02"sv, Protocol::client},
      {"*"sv, Protocol::unknown},
      {"*1\r\n$4\r\nPING\r\n"sv, Protocol::redis},
      {"*a"sv, Protocol::client},
      {"PING\r\n"sv, Protocol::client},
  };
  for (const Row& row : rows) {
    const std::string shown(row.first);
    CAPTURE(shown);
    CHECK(detect_protocol(row.first) == row.want);
  }
}

TEST_CASE("detect_protocol: the longest beginning is enough for every answer") {
  for (int first = 0; first < 256; ++first) {
    for (const std::string_view rest : {"ET / HTT"sv, "ONNECT x"sv, "PTIONS *"sv, "zatzatza"sv}) {
      const std::string bytes = static_cast<char>(first) + std::string(rest.substr(0, 7));
      REQUIRE(bytes.size() == max_detect_bytes);
      CHECK(detect_protocol(bytes) != Protocol::unknown);
    }
  }
}

TEST_CASE("rejection_of: each reads it in its own way") {
  const std::string sentence(zatt::codec::how_to_ask);
  CHECK(rejection_of(Protocol::http) ==
        "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
            std::to_string(sentence.size() + 1) + "\r\nConnection: close\r\n\r\n" + sentence +
            "\n");
  CHECK(rejection_of(Protocol::redis) == "-ERR " + sentence + "\r\n");
  CHECK(sentence.find('\n') == std::string::npos);
  CHECK(rejection_of(Protocol::tls)
            .starts_with("{\"ok\":false,\"error\":\"bad_request\",\"message\":\"this port takes "
                         "JSON objects"));
}
