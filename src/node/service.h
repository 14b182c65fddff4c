// SPDX-License-Identifier: AGPL-3.0-or-later
// What a node serves: a replicated state machine, and what clients may ask of it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/state_machine.h"
#include "codec/request.h"
#include "codec/response.h"
#include "kv/machine.h"

namespace zatt::node {

class Service {
 public:
  Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  virtual StateMachine& machine() = 0;
  // Why this operation is not for the machine, for a person; empty where it is.
  virtual std::string_view refusal_of(const codec::Operation& operation) const = 0;
  // From the state as it is; borrowed until the machine's next call.
  virtual codec::Response answer(const codec::Read& read) const = 0;
  // About how long an answer to this may be: to a write, one that says why nothing was written.
  // What is above `most` need not be counted.
  virtual std::uint64_t answer_bytes(const codec::Operation& operation,
                                     std::uint64_t most) const = 0;
  // Whether the machine's reply says that nothing was changed.
  virtual bool changed_nothing(std::string_view reply) const = 0;
  // How many keys status names.
  virtual std::uint64_t keys() const = 0;
};

// zatt's dictionary, for clients' reads and writes. `machine` is borrowed for its life.
class DictionaryService final : public Service {
 public:
  explicit DictionaryService(kv::Machine& machine) : machine_(machine) {}

  StateMachine& machine() override { return machine_; }
  std::string_view refusal_of(const codec::Operation& operation) const override;
  codec::Response answer(const codec::Read& read) const override;
  std::uint64_t answer_bytes(const codec::Operation& operation, std::uint64_t most) const override;
  bool changed_nothing(std::string_view reply) const override;
  std::uint64_t keys() const override { return machine_.size(); }

 private:
  kv::Machine& machine_;
};

// A state machine of the host's, for its proposals and barriers: it reads its state itself.
// `machine` is borrowed for its life.
class HostService final : public Service {
 public:
  explicit HostService(StateMachine& machine) : machine_(machine) {}

  StateMachine& machine() override { return machine_; }
  std::string_view refusal_of(const codec::Operation& operation) const override;
  codec::Response answer(const codec::Read&) const override { return codec::Done{}; }
  std::uint64_t answer_bytes(const codec::Operation&, std::uint64_t) const override { return 0; }
  bool changed_nothing(std::string_view) const override { return false; }
  std::uint64_t keys() const override { return 0; }

 private:
  StateMachine& machine_;
};

}  // namespace zatt::node
