// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's line: a request whose every part holds, or a refusal that can be said.
#include "client/reply.h"
#include "codec/request.h"
#include "kv/command.h"
#include "tests/fuzz/json_check.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

void check_command(const codec::Request& request) {
  const auto command = kv::decode_command(request.command);
  require(command.has_value(), "a write has a command");
  if (command->op == kv::Op::set)
    require(is_json_value(command->value) && is_compact(command->value), "a value is compact JSON");
  if (command->condition.kind == kv::Condition::Kind::value)
    require(is_json_value(command->condition.value) && is_compact(command->condition.value),
            "a value compared with is compact JSON");
}

void check_refusal(const codec::Refusal& refusal) {
  require(!refusal.message.empty(), "a refusal has words");
  std::string line;
  codec::write_error(line, refusal.id, refusal.code, refusal.message);
  require(line.ends_with('\n') && line.find('\n') + 1 == line.size(), "a reply is one line");
  line.pop_back();
  client::ReplyReader reader;
  const auto reply = reader.read(Padded(line).text());
  require(reply && reply->outcome == client::outcome_of(refusal.code) &&
              reply->message == refusal.message,
          "a client hears the refusal that was said");
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_request(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  const fuzz::Padded line(fuzz::Input(data, size).rest(), '"');
  codec::RequestParser parser;
  const auto result = parser.parse(line.text());
  if (const auto* refusal = std::get_if<codec::Refusal>(&result)) {
    if (!refusal->id.empty()) fuzz::require(fuzz::is_json_value(refusal->id), "an id is JSON");
    fuzz::check_refusal(*refusal);
    return 0;
  }
  const auto& request = std::get<codec::Request>(result);
  if (!request.id.empty()) fuzz::require(fuzz::is_json_value(request.id), "an id is JSON");
  fuzz::require(request.timeout_ms >= 1 && request.timeout_ms <= 600000, "a timeout in its bounds");
  fuzz::require(request.limit >= 1 && request.limit <= 10000, "a limit in its bounds");
  fuzz::require(request.key.size() <= kv::max_key_bytes, "a key in its bounds");
  fuzz::require(codec::is_write(request.op) == !request.command.empty(),
                "a write, and only a write, has a command");
  if (codec::is_write(request.op)) fuzz::check_command(request);
  return 0;
}
