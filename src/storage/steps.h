// SPDX-License-Identifier: AGPL-3.0-or-later
// Steps by name: what a batch is written down with.
#pragma once

#include <string>
#include <utility>

#include "storage/batch.h"

namespace zatt::storage {

inline Step write_step(std::string name, std::uint64_t offset, std::string bytes) {
  Step step;
  step.kind = Step::Kind::write;
  step.name = std::move(name);
  step.offset = offset;
  step.bytes = std::move(bytes);
  return step;
}

inline Step read_step(std::string name, std::uint64_t offset, std::uint64_t length) {
  Step step;
  step.kind = Step::Kind::read;
  step.name = std::move(name);
  step.offset = offset;
  step.length = length;
  return step;
}

inline Step sync_step(std::string name) {
  Step step;
  step.kind = Step::Kind::sync;
  step.name = std::move(name);
  return step;
}

inline Step push_step(std::string name, std::uint64_t offset, std::uint64_t length) {
  Step step;
  step.kind = Step::Kind::push;
  step.name = std::move(name);
  step.offset = offset;
  step.length = length;
  return step;
}

inline Step rename_step(std::string from, std::string to) {
  Step step;
  step.kind = Step::Kind::rename;
  step.name = std::move(from);
  step.to = std::move(to);
  return step;
}

inline Step remove_step(std::string name) {
  Step step;
  step.kind = Step::Kind::remove;
  step.name = std::move(name);
  return step;
}

inline Step sync_directory_step() {
  Step step;
  step.kind = Step::Kind::sync_directory;
  return step;
}

}  // namespace zatt::storage
