// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/configuration.h"

#include <doctest/doctest.h>

#include "base/bytes.h"

namespace zatt::raft {
namespace {

Configuration three() {
  Configuration configuration;
  configuration.members = {
      {{"0", 11}, {"127.0.0.1", 5254}, true, false, false},
      {{"1", 12}, {"::1", 5255}, false, true, true},
      {{"1", 13}, {"example.org", 5255}, true, false, false},
      {{"2", 14}, {"127.0.0.1", 5256}, false, false, true},
  };
  configuration.removed = {"a", "b"};
  return configuration;
}

std::string encoded(const Configuration& configuration) {
  std::string bytes;
  encode(configuration, bytes);
  return bytes;
}

// One member, as bytes, with the roles given.
std::string with_roles(std::uint8_t roles) {
  std::string bytes;
  Writer out(bytes);
  out.u32(1);
  out.bytes("0");
  out.u64(1);
  out.bytes("h");
  out.u16(1);
  out.u8(roles);
  out.u32(0);
  return bytes;
}

}  // namespace

TEST_CASE("configuration: who votes") {
  const Configuration configuration = three();
  CHECK(configuration.is_joint());
  CHECK(configuration.votes({"0", 11}));
  CHECK(configuration.votes({"1", 12}));   // of the outgoing half
  CHECK(configuration.votes({"1", 13}));   // the same id, incoming
  CHECK(!configuration.votes({"2", 14}));  // a learner
  CHECK(!configuration.votes({"0", 99}));  // a wiped directory under a known id
  REQUIRE(configuration.find_id("1") != nullptr);
  CHECK(configuration.find_id("1")->server.incarnation == 12);
  CHECK(configuration.find_id("9") == nullptr);
  CHECK(configuration.find({"1", 14}) == nullptr);
  Configuration simple = three();
  simple.members.erase(simple.members.begin() + 1);
  CHECK(!simple.is_joint());
}

TEST_CASE("configuration: encoded and decoded again") {
  for (const Configuration& configuration : {Configuration{}, three()}) {
    const auto again = decode_configuration(encoded(configuration));
    REQUIRE(again);
    CHECK(*again == configuration);
  }
}

TEST_CASE("configuration: the literal bytes") {
  Configuration configuration;
  configuration.members = {{{"0", 0x0102030405060708}, {"ab", 0x1415}, true, false, false}};
  configuration.removed = {"z"};
  const std::string want(
      "\x01\x00\x00\x00"
      "\x01\x00\x00\x00"
      "0"
      "\x08\x07\x06\x05\x04\x03\x02\x01"
      "\x02\x00\x00\x00"
      "ab"
      "\x15\x14\x01"
      "\x01\x00\x00\x00"
      "\x01\x00\x00\x00"
      "z",
      4 + 4 + 1 + 8 + 4 + 2 + 3 + 4 + 4 + 1);
  CHECK(encoded(configuration) == want);
}

TEST_CASE("configuration: what is not exactly one is refused") {
  const std::string good = encoded(three());
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK(!decode_configuration(std::string_view(good).substr(0, size)));
  CHECK(!decode_configuration(good + '\0'));

  CHECK(decode_configuration(with_roles(1)));
  CHECK(decode_configuration(with_roles(6)));   // a voter that will stay as a learner
  CHECK(!decode_configuration(with_roles(0)));  // no part at all
  CHECK(!decode_configuration(with_roles(5)));  // voter and learner at once
  CHECK(!decode_configuration(with_roles(8)));

  Configuration twice = three();
  twice.members[1] = twice.members[0];
  CHECK(!decode_configuration(encoded(twice)));
  Configuration descending = three();
  std::swap(descending.members[0], descending.members[3]);
  CHECK(!decode_configuration(encoded(descending)));
  Configuration removed_twice = three();
  removed_twice.removed = {"a", "a"};
  CHECK(!decode_configuration(encoded(removed_twice)));
  Configuration strange_id = three();
  strange_id.members[0].server.id = "a b";
  CHECK(!decode_configuration(encoded(strange_id)));

  std::string many(4, '\xff');  // four billion members, and no bytes
  CHECK(!decode_configuration(many));
}

}  // namespace zatt::raft
