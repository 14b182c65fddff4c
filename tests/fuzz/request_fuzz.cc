// SPDX-License-Identifier: AGPL-3.0-or-later
// A client's line: a request whose every part holds, or a refusal that can be said.
#include "client/reply.h"
#include "codec/json_request.h"
#include "codec/json_response.h"
#include "kv/command.h"
#include "tests/fuzz/json_check.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

void check_command(const codec::Write& write) {
  const auto command = kv::decode_command(write.command);
  require(command && command->op == write.op, "a write has a command of its op");
  if (command->op == kv::Op::set)
    require(is_json_value(command->value) && is_compact(command->value), "a value is compact JSON");
  if (command->condition.kind == kv::Condition::Kind::value)
    require(is_json_value(command->condition.value) && is_compact(command->condition.value),
            "a value compared with is compact JSON");
}

void check_read(const codec::Read& read) {
  if (const auto* get = std::get_if<codec::Get>(&read.query))
    require(get->key.size() <= kv::max_key_bytes, "a key in its bounds");
  if (const auto* count = std::get_if<codec::Count>(&read.query))
    require(count->prefix.size() <= kv::max_key_bytes, "a prefix in its bounds");
  if (const auto* scan = std::get_if<codec::Scan>(&read.query))
    require(scan->limit >= 1 && scan->limit <= 10000 && scan->prefix.size() <= kv::max_key_bytes,
            "a limit and a prefix in their bounds");
}

void check_refusal(const codec::Request& request, const codec::Failure& refusal) {
  require(!refusal.message.empty(), "a refusal has words");
  std::string line;
  codec::write_json(request, refusal, line);
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
  codec::JsonRequestParser parser;
  const codec::Request request = parser.parse(line.text());
  if (!request.id.empty()) fuzz::require(fuzz::is_json_value(request.id), "an id is JSON");
  if (const auto* malformed = std::get_if<codec::Malformed>(&request.operation)) {
    fuzz::check_refusal(request, malformed->failure);
    return 0;
  }
  fuzz::require(request.timeout_ms >= 1 && request.timeout_ms <= 600000, "a timeout in its bounds");
  if (const auto* read = std::get_if<codec::Read>(&request.operation)) fuzz::check_read(*read);
  if (const auto* write = std::get_if<codec::Write>(&request.operation))
    fuzz::check_command(*write);
  return 0;
}
