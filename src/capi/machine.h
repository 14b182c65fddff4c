// SPDX-License-Identifier: AGPL-3.0-or-later
// A host's state machine, as the node knows machines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/state_machine.h"
#include "zatt/zatt.h"

namespace zatt::capi {

class HostMachine final : public StateMachine {
 public:
  // `calling_back` counts the host's functions that are running.
  HostMachine(const zatt_machine& machine, int& calling_back)
      : machine_(machine), calling_back_(calling_back) {}

  void apply(Index index, std::uint64_t time_us, std::string_view command,
             std::string& reply) override;

  void begin_snapshot() override;
  bool next_slice(std::size_t max_bytes, std::string& out) override;
  void end_snapshot() override;
  void begin_restore() override;
  Status restore_slice(std::string_view slice) override;
  Status end_restore() override;

 private:
  const zatt_machine machine_;
  int& calling_back_;
};

}  // namespace zatt::capi
