// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/protocol_detector.h"

#include "codec/json_request.h"
#include "codec/json_response.h"
#include "codec/peer_frames.h"

namespace zatt::server {
namespace {

struct Beginning {
  std::string_view bytes;
  Protocol protocol;
};
constexpr Beginning beginnings[] = {
    {"GET ", Protocol::http},   {"HEAD ", Protocol::http},    {"POST ", Protocol::http},
    {"PUT ", Protocol::http},   {"DELETE ", Protocol::http},  {"PATCH ", Protocol::http},
    {"TRACE ", Protocol::http}, {"OPTIONS ", Protocol::http}, {"CONNECT ", Protocol::http},
    {"PRI * ", Protocol::http}, {"\x16\x03", Protocol::tls},
};

// RESP: an array of so many strings.
bool is_redis(std::string_view bytes) {
  return bytes.size() > 1 && bytes[0] == '*' && bytes[1] >= '0' && bytes[1] <= '9';
}

}  // namespace

Protocol detect_protocol(std::string_view first_bytes) {
  if (first_bytes.empty()) return Protocol::unknown;
  if (first_bytes.starts_with(codec::peer_magic)) return Protocol::peer;
  if (codec::peer_magic.starts_with(first_bytes)) return Protocol::unknown;
  for (const Beginning& each : beginnings) {
    if (first_bytes.starts_with(each.bytes)) return each.protocol;
    if (each.bytes.starts_with(first_bytes)) return Protocol::unknown;
  }
  if (first_bytes == "*") return Protocol::unknown;
  return is_redis(first_bytes) ? Protocol::redis : Protocol::client;
}

std::string rejection_of(Protocol protocol) {
  const std::string sentence(codec::how_to_ask);
  if (protocol == Protocol::redis) return "-ERR " + sentence + "\r\n";
  if (protocol == Protocol::http)
    return "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
           "Content-Length: " +
           std::to_string(sentence.size() + 1) + "\r\nConnection: close\r\n\r\n" + sentence + "\n";
  std::string line;
  codec::write_error(line, {}, codec::ErrorCode::bad_request, sentence);
  return line;
}

}  // namespace zatt::server
