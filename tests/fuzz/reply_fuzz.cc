// SPDX-License-Identifier: AGPL-3.0-or-later
// Reply lines as a client reads them: anybody's, and those that a server writes.
#include "client/reply.h"
#include "codec/json_response.h"
#include "kv/reply.h"
#include "tests/fuzz/json_check.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

void check_anybodys(std::string_view text) {
  client::ReplyReader reader;
  const Padded line(text, '}');
  const auto reply = reader.read(line.text());
  if (!reply) return;
  require(reply->line == text, "the line is kept as it came");
  if (reply->value) require(is_json_value(*reply->value), "a value is JSON");
  for (const client::Item& item : reply->items)
    if (!item.value.empty()) require(is_json_value(item.value), "an item's value is JSON");
  for (const client::Member& member : reply->members) require(member.port != 0, "a port is one");
  static_cast<void>(client::to_string(reply->outcome));
}

// Whatever bytes a message has that are UTF-8, and whatever numbers.
void check_servers(Input& in) {
  kv::Reply said;
  said.outcome = static_cast<kv::Outcome>(in.u8() % 5);
  said.found = in.u8() % 2 == 1;
  said.rev = in.u64();
  const std::string number = std::to_string(static_cast<std::int64_t>(in.u64()));
  said.value = number;
  std::string line;
  std::string bytes;
  kv::encode(said, bytes);
  codec::write_json({codec::Write{kv::Op::incr, {}}, 5000, "\"id\""},
                    codec::Applied{bytes, Index{1}}, line);
  require(line.ends_with('\n'), "a reply is a line");
  line.pop_back();
  client::ReplyReader reader;
  const auto reply = reader.read(Padded(line).text());
  require(reply.has_value(), "a client reads what a server writes");
  if (said.outcome == kv::Outcome::done)
    require(reply->outcome == client::Outcome::ok && reply->rev == said.rev &&
                reply->value == number && std::to_string(reply->number) == number,
            "a client reads the numbers that a server writes");
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_reply(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  if (size > 0 && data[0] == '{')
    fuzz::check_anybodys(in.rest());
  else
    fuzz::check_servers(in);
  return 0;
}
