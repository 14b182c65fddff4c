// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/greeting.h"

#include "codec/frame.h"
#include "codec/reply.h"
#include "codec/request.h"

namespace zatt::server {
namespace {

struct Beginning {
  std::string_view bytes;
  Caller caller;
};
constexpr Beginning beginnings[] = {
    {"GET ", Caller::http},   {"HEAD ", Caller::http},    {"POST ", Caller::http},
    {"PUT ", Caller::http},   {"DELETE ", Caller::http},  {"PATCH ", Caller::http},
    {"TRACE ", Caller::http}, {"OPTIONS ", Caller::http}, {"CONNECT ", Caller::http},
    {"PRI * ", Caller::http}, {"\x16\x03", Caller::tls},
};

// RESP: an array of so many strings.
bool is_redis(std::string_view bytes) {
  return bytes.size() > 1 && bytes[0] == '*' && bytes[1] >= '0' && bytes[1] <= '9';
}

}  // namespace

Caller who_calls(std::string_view first_bytes) {
  if (first_bytes.empty()) return Caller::unknown;
  if (first_bytes.starts_with(codec::peer_magic)) return Caller::peer;
  if (codec::peer_magic.starts_with(first_bytes)) return Caller::unknown;
  for (const Beginning& each : beginnings) {
    if (first_bytes.starts_with(each.bytes)) return each.caller;
    if (each.bytes.starts_with(first_bytes)) return Caller::unknown;
  }
  if (first_bytes == "*") return Caller::unknown;
  return is_redis(first_bytes) ? Caller::redis : Caller::client;
}

std::string farewell_to(Caller caller) {
  const std::string sentence(codec::how_to_ask);
  if (caller == Caller::redis) return "-ERR " + sentence + "\r\n";
  if (caller == Caller::http)
    return "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
           "Content-Length: " +
           std::to_string(sentence.size() + 1) + "\r\nConnection: close\r\n\r\n" + sentence + "\n";
  std::string line;
  codec::write_error(line, {}, codec::ErrorCode::bad_request, sentence);
  return line;
}

}  // namespace zatt::server
