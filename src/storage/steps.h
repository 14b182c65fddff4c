// SPDX-License-Identifier: AGPL-3.0-or-later
// Steps by name: what a batch is written down with.
#pragma once

#include <string>
#include <utility>

#include "storage/batch.h"

namespace zatt::storage {

inline Step write_step(std::string name, std::uint64_t offset, std::string bytes) {
  return {.kind = Step::Kind::write,
          .name = std::move(name),
          .offset = offset,
          .bytes = std::move(bytes)};
}

inline Step fill_step(std::string name, std::uint64_t offset, std::uint64_t length) {
  return {.kind = Step::Kind::fill, .name = std::move(name), .offset = offset, .length = length};
}

inline Step read_step(std::string name, std::uint64_t offset, std::uint64_t length) {
  return {.kind = Step::Kind::read, .name = std::move(name), .offset = offset, .length = length};
}

inline Step sync_step(std::string name) {
  return {.kind = Step::Kind::sync, .name = std::move(name)};
}

inline Step push_step(std::string name, std::uint64_t offset, std::uint64_t length) {
  return {.kind = Step::Kind::push, .name = std::move(name), .offset = offset, .length = length};
}

inline Step rename_step(std::string from, std::string to) {
  return {.kind = Step::Kind::rename, .name = std::move(from), .to = std::move(to)};
}

inline Step remove_step(std::string name) {
  return {.kind = Step::Kind::remove, .name = std::move(name)};
}

inline Step sync_directory_step() { return {.kind = Step::Kind::sync_directory}; }

}  // namespace zatt::storage
