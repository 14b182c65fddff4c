// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/reply.h"

#include <doctest/doctest.h>

#include <string>

using namespace zatt::kv;
using namespace std::string_view_literals;

namespace {

std::string bytes_of(const Reply& reply) {
  std::string out;
  encode(reply, out);
  return out;
}

}  // namespace

TEST_CASE("reply: the bytes are the documented ones") {
  CHECK(
      bytes_of({.outcome = Outcome::condition_failed, .found = true, .rev = 258, .value = "10"}) ==
      "\1\1\2\1\0\0\0\0\0\0\2\0\0\0"
      "10\0\0\0\0"sv);
  Reply reply{.rev = 7};
  reply.parts = {{.found = true, .rev = 7}, {.rev = 7, .value = "3"}};
  CHECK(bytes_of(reply) ==
        "\0\0\7\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0"
        "\0\1\7\0\0\0\0\0\0\0\0\0\0\0"
        "\0\0\7\0\0\0\0\0\0\0\1\0\0\0"
        "3"sv);
}

TEST_CASE("reply: decode gives back what encode took") {
  for (const Outcome outcome : {Outcome::done, Outcome::condition_failed, Outcome::not_an_integer,
                                Outcome::out_of_range, Outcome::malformed})
    for (const bool found : {false, true})
      for (const std::string& value :
           {std::string(), std::string("{\"a\":1}"), std::string(1 << 20, '7')}) {
        const std::string bytes =
            bytes_of({.outcome = outcome, .found = found, .rev = ~0ULL, .value = value});
        const auto back = decode_reply(bytes);
        REQUIRE(back);
        CHECK(back->outcome == outcome);
        CHECK(back->found == found);
        CHECK(back->rev == ~0ULL);
        CHECK(back->value == value);
        CHECK(back->parts.empty());
      }
}

TEST_CASE("reply: a list of parts comes back in its order") {
  Reply reply{.outcome = Outcome::condition_failed, .rev = 9};
  for (std::uint64_t i = 0; i < 300; ++i)
    reply.parts.push_back({.outcome = i % 2 == 0 ? Outcome::done : Outcome::not_an_integer,
                           .found = i % 3 == 0,
                           .rev = i,
                           .value = i % 5 == 0 ? "" : "[5]"});
  const std::string bytes = bytes_of(reply);
  const auto back = decode_reply(bytes);
  REQUIRE(back);
  CHECK(back->outcome == Outcome::condition_failed);
  REQUIRE(back->parts.size() == 300);
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Reply& part = back->parts[i];
    CHECK(part.outcome == reply.parts[i].outcome);
    CHECK(part.found == reply.parts[i].found);
    CHECK(part.rev == i);
    CHECK(part.value == reply.parts[i].value);
  }
  for (std::size_t n = 0; n < bytes.size(); n += 7)
    CHECK_FALSE(decode_reply(std::string(bytes, 0, n)));
}

TEST_CASE("reply: every byte is accounted for") {
  const std::string bytes = bytes_of({.found = true, .rev = 7, .value = "true"});
  for (std::size_t n = 0; n < bytes.size(); ++n)
    CHECK_FALSE(decode_reply(std::string(bytes, 0, n)));
  CHECK_FALSE(decode_reply(bytes + '\0'));
  std::string bad = bytes;
  bad[0] = 5;
  CHECK_FALSE(decode_reply(bad));
  bad = bytes;
  bad[1] = 2;
  CHECK_FALSE(decode_reply(bad));
  bad = bytes;
  bad[bad.size() - 4] = 1;  // a part more than there is
  CHECK_FALSE(decode_reply(bad));
  bad[bad.size() - 1] = '\x7f';  // more than any bytes could hold
  CHECK_FALSE(decode_reply(bad));
}
