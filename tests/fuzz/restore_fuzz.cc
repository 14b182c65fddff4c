// SPDX-License-Identifier: AGPL-3.0-or-later
// A store's slices: anybody's, and a real snapshot's with some bytes changed.
#include <vector>

#include "base/text.h"
#include "kv/command.h"
#include "kv/machine.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace zatt::fuzz {
namespace {

using Slices = std::vector<std::string>;

Slices slices_of(kv::Machine& store, std::size_t max_bytes) {
  Slices slices;
  store.begin_snapshot();
  for (bool more = true; more;) more = store.next_slice(max_bytes, slices.emplace_back());
  store.end_snapshot();
  return slices;
}

Status restore(kv::Machine& store, const Slices& slices) {
  store.begin_restore();
  for (const std::string& slice : slices)
    if (auto taken = store.restore_slice(slice); !taken) return taken;
  return store.end_restore();
}

void fill(kv::Machine& store, Input& in) {
  const std::uint64_t keys = in.u8() % 40;
  for (std::uint64_t i = 1; i <= keys; ++i) {
    const std::string key = "key" + std::to_string(i * 7 % 41);
    const std::string value = "\"" + std::string(in.u8(), 'v') + "\"";
    kv::Command command;
    command.key = key;
    command.value = value;
    std::string bytes, reply;
    kv::encode(command, bytes);
    store.apply(Index{i}, 0, bytes, reply);
  }
}

void change(Slices& slices, Input& in) {
  while (!in.done()) {
    std::string& slice = slices[in.below(slices.size())];
    const std::size_t at = in.below(slice.size() + 1);
    const std::uint8_t how = in.u8();
    const std::string_view bytes = in.bytes(how / 8);
    if (how % 8 == 0) slice.resize(at);
    if (how % 8 == 1) slice.insert(at, bytes);
    if (how % 8 == 2) slices.emplace_back(bytes);
    if (how % 8 >= 3) slice.replace(at, std::min(bytes.size(), slice.size() - at), bytes);
  }
}

}  // namespace
}  // namespace zatt::fuzz

int fuzz_restore(const std::uint8_t* data, std::size_t size) {
  using namespace zatt;
  fuzz::Input in(data, size);
  const std::size_t max_bytes = 1 + in.u16();
  kv::Machine store;
  fuzz::fill(store, in);
  fuzz::Slices slices = fuzz::slices_of(store, max_bytes);
  fuzz::change(slices, in);
  kv::Machine taken(7);
  const Status status = fuzz::restore(taken, slices);
  if (!status) {
    fuzz::require(status.error().code == Code::corrupt || status.error().code == Code::newer,
                  "a snapshot that is none is corrupt, or newer");
    kv::Machine again;
    fuzz::require(bool(fuzz::restore(taken, fuzz::slices_of(again, 100))),
                  "behind a refusal another snapshot is taken");
    return 0;
  }
  kv::Machine copy(9);
  const fuzz::Slices second = fuzz::slices_of(taken, max_bytes);
  fuzz::require(bool(fuzz::restore(copy, second)), "what was restored is a snapshot again");
  fuzz::require(copy.state_hash() == taken.state_hash() && copy.size() == taken.size() &&
                    copy.rev() == taken.rev(),
                "and the same one");
  fuzz::require(join(fuzz::slices_of(copy, max_bytes), "") == join(second, ""), "byte for byte");
  return 0;
}
