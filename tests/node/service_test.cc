// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/service.h"

#include <doctest/doctest.h>

#include <string>

#include "kv/command.h"
#include "kv/reply.h"
#include "tests/support/fake_env.h"

namespace zatt::node {
namespace {

void set(kv::Machine& machine, Index index, std::string_view key, std::string_view value) {
  std::string reply;
  machine.apply(index, 0, test::set_command(key, value), reply);
}

}  // namespace

TEST_CASE("service: the dictionary takes reads and writes, and answers from what is there") {
  kv::Machine machine;
  DictionaryService service(machine);
  set(machine, Index{4}, "a", "1");
  set(machine, Index{5}, "ab", "2");
  set(machine, Index{6}, "b", "3");
  CHECK(&service.machine() == &machine);
  CHECK(service.keys() == 3);

  const codec::Response found = service.answer({codec::Get{"ab"}, false});
  CHECK(std::get<codec::Found>(found).item->value == "2");
  const codec::Response absent = service.answer({codec::Get{"c"}, false});
  CHECK_FALSE(std::get<codec::Found>(absent).item.has_value());
  const codec::Response counted = service.answer({codec::Count{"a"}, false});
  CHECK(std::get<codec::Counted>(counted).count == 2);
  CHECK(std::get<codec::Counted>(counted).at == 6);
  const codec::Response page = service.answer({codec::Scan{"a", "a", 10, false}, false});
  CHECK(std::get<codec::Page>(page).cursor.item().key == "ab");
  CHECK(std::get<codec::Page>(page).at == 6);

  for (const codec::Operation& operation :
       {codec::Operation(codec::Ping{}), {codec::GetStatus{}}, {codec::Read{}}, {codec::Write{}}})
    CHECK(service.refusal_of(operation).empty());
  for (const codec::Operation& operation :
       {codec::Operation(codec::Proposal{}), {codec::Barrier{}}})
    CHECK(service.refusal_of(operation).find("zatt's dictionary") != std::string_view::npos);
}

TEST_CASE("service: how long an answer may be") {
  kv::Machine machine;
  const DictionaryService service(machine);
  const std::string value(10'000, '1');
  for (std::uint64_t i = 1; i <= 5; ++i) set(machine, Index{i}, "a" + std::to_string(i), value);
  const auto of_read = [&](auto query, std::uint64_t most = UINT64_MAX) {
    return service.answer_bytes(codec::Read{query, false}, most);
  };
  CHECK(of_read(codec::Get{"a1"}) > value.size());
  CHECK(of_read(codec::Get{"a1"}) < value.size() + 1000);
  CHECK(of_read(codec::Get{"b"}) < 1000);
  CHECK(of_read(codec::Count{"a"}) < 1000);
  CHECK(of_read(codec::Scan{"a", {}, 10, false}) > 5 * value.size());
  CHECK(of_read(codec::Scan{"a", {}, 2, false}) < 3 * value.size());
  CHECK(of_read(codec::Scan{"a", {}, 10, false}, 15'000) < 3 * value.size());  // no need to go on
  const auto of_write = [&](const kv::Command& command) {
    codec::Write write{command.op, {}};
    kv::encode(command, write.command);
    return service.answer_bytes(write, UINT64_MAX);
  };
  kv::Command command;
  command.key = "a1";
  CHECK(of_write(command) == 0);
  command.condition.kind = kv::Condition::Kind::rev;
  CHECK(of_write(command) > value.size());
  command.op = kv::Op::incr;
  command.condition = {};
  CHECK(of_write(command) > value.size());
  CHECK(service.answer_bytes(codec::Ping{}, UINT64_MAX) == 0);
}

TEST_CASE("service: a reply that says that nothing was changed") {
  kv::Machine machine;
  const DictionaryService service(machine);
  for (const kv::Outcome outcome :
       {kv::Outcome::done, kv::Outcome::condition_failed, kv::Outcome::not_an_integer,
        kv::Outcome::out_of_range, kv::Outcome::malformed}) {
    kv::Reply reply;
    reply.outcome = outcome;
    std::string bytes;
    kv::encode(reply, bytes);
    CHECK(service.changed_nothing(bytes) == (outcome != kv::Outcome::done));
  }
  CHECK_FALSE(service.changed_nothing("no reply"));
  CHECK_FALSE(HostService(machine).changed_nothing("anything"));
}

TEST_CASE("service: a host's machine takes proposals and barriers") {
  kv::Machine machine;
  HostService service(machine);
  set(machine, Index{4}, "a", "1");
  CHECK(service.keys() == 0);  // of the host's state nothing is known
  for (const codec::Operation& operation :
       {codec::Operation(codec::Ping{}), {codec::Proposal{}}, {codec::Barrier{}}})
    CHECK(service.refusal_of(operation).empty());
  for (const codec::Operation& operation : {codec::Operation(codec::Read{}), {codec::Write{}}})
    CHECK(service.refusal_of(operation).find("of its own") != std::string_view::npos);
}

}  // namespace zatt::node
