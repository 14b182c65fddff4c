// SPDX-License-Identifier: AGPL-3.0-or-later
// The dictionary in C++.
//   c++ dict.cpp $(pkg-config --cflags --libs zatt-client) -o dict && ./dict 127.0.0.1:5254
#include <iostream>
#include <zatt/zatt.hpp>

int main(int argc, char** argv) try {
  zatt::DistributedDict d(argc > 1 ? argv[1] : "127.0.0.1:5254");
  d["key1"] = 0;
  int v = d["key1"];
  d["name"] = "Zoë";
  d["list"] = zatt::Json{"[1, 2.50, null]"};
  std::cout << "key1 = " << v << ", " << d.size() << " keys\n";
  for (const auto& [key, value] : d) std::cout << key << ": " << value.text << "\n";

  // Read, change, write back, only if nobody was faster.
  const auto entry = d.client().get("key1");
  d.client().set("key1", entry->as<int>() + 1, zatt::Condition::rev(entry->rev));
  std::cout << "visits: " << d.incr("visits") << "\n";
  try {
    d.client().set("key1", 5, zatt::Condition::absent());
  } catch (const zatt::ConditionFailed& failed) {
    std::cout << "key1 is there already: " << failed.value << "\n";
  }
  return 0;
} catch (const zatt::OutcomeUnknown& unknown) {
  std::cerr << "a write may or may not have happened: " << unknown.what() << "\n";
  return 4;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
