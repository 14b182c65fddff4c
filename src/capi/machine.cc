// SPDX-License-Identifier: AGPL-3.0-or-later
#include "capi/machine.h"

#include "capi/convert.h"

struct zatt_sink {
  std::string& out;
};

extern "C" void zatt_sink_write(zatt_sink* sink, const void* data, size_t size) {
  if (size > 0) sink->out.append(static_cast<const char*>(data), size);
}

namespace zatt::capi {
namespace {

Status judged(int result) {
  if (result == 0) return ok;
  return Error{Code::corrupt, 0, "", "the state machine does not take what the snapshot holds"};
}

}  // namespace

void HostMachine::apply(Index index, std::uint64_t time_us, std::string_view command,
                        std::string& reply) {
  zatt_sink sink{reply};
  ++calling_back_;
  machine_.apply(machine_.user, raw(index), time_us, bytes_of(command), &sink);
  --calling_back_;
}

void HostMachine::begin_snapshot() { machine_.begin_snapshot(machine_.user); }

bool HostMachine::next_slice(std::size_t max_bytes, std::string& out) {
  zatt_sink sink{out};
  return machine_.next_slice(machine_.user, max_bytes, &sink) != 0;
}

void HostMachine::end_snapshot() { machine_.end_snapshot(machine_.user); }
void HostMachine::begin_restore() { machine_.begin_restore(machine_.user); }

Status HostMachine::restore_slice(std::string_view slice) {
  return judged(machine_.restore_slice(machine_.user, bytes_of(slice)));
}

Status HostMachine::end_restore() { return judged(machine_.end_restore(machine_.user)); }

}  // namespace zatt::capi
