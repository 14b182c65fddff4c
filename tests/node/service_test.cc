// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/service.h"

#include <doctest/doctest.h>

#include <string>

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
