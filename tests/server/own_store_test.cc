// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/own_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "kv/command.h"

using namespace zatt;

namespace {

constexpr std::size_t some = 2000;

// Keys that all fall into one bucket of a table of that size under seed 0.
std::vector<std::string> colliding_keys() {
  std::vector<std::string> keys;
  for (std::uint64_t n = 0; keys.size() < some; ++n) {
    std::string key = "key" + std::to_string(n);
    if (checksum(key, 0) % 2048 == 0) keys.push_back(std::move(key));
  }
  return keys;
}

std::uint64_t longest_search(kv::Machine& store, const std::vector<std::string>& keys) {
  std::uint64_t index = 0;
  std::string reply;
  for (const std::string& key : keys) {
    std::string command;
    kv::encode({.op = kv::Op::set, .key = key, .value = "1"}, command);
    store.apply(Index{++index}, 0, command, reply);
  }
  std::uint64_t longest = 0;
  for (const std::string& key : keys) longest = std::max(longest, store.search_length(key));
  return longest;
}

}  // namespace

TEST_CASE("own_store: keys that collide under one seed are spread in every node's store") {
  const std::vector<std::string> keys = colliding_keys();
  kv::Machine plain;
  CHECK(longest_search(plain, keys) == some);  // they do collide
  kv::Machine one = server::own_store();
  kv::Machine other = server::own_store();
  CHECK(longest_search(one, keys) < 40);
  CHECK(longest_search(other, keys) < 40);
}

TEST_CASE("own_store: two nodes draw two seeds") {
  kv::Machine one = server::own_store();
  kv::Machine other = server::own_store();
  std::vector<std::string> keys;
  for (int n = 0; n < 1000; ++n) keys.push_back("key" + std::to_string(n));
  longest_search(one, keys);
  longest_search(other, keys);
  const auto differs = [&](const std::string& key) {
    return one.search_length(key) != other.search_length(key);
  };
  CHECK(std::count_if(keys.begin(), keys.end(), differs) > 100);
  CHECK(one.state_hash() == other.state_hash());  // nobody else can tell them apart
}
