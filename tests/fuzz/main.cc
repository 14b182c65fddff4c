// SPDX-License-Identifier: AGPL-3.0-or-later
// The way into libFuzzer: one program for all targets, which runs the one it is called by the name
// of.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/targets.h"

namespace {

const zatt::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::string_view name = *argc > 0 ? (*argv)[0] : "";
  name = name.substr(name.rfind('/') + 1);  // npos + 1 is 0
  for (const zatt::fuzz::Target& target : zatt::fuzz::targets)
    if (target.name == name) chosen = &target;
  if (chosen != nullptr) return 0;
  std::fprintf(stderr, "call this program by the name of a target, such as json\n");
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return chosen->run(data, size);
}
