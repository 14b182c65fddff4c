// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/batch.h"

#include <cerrno>
#include <utility>

#include "base/narrow.h"

namespace zatt::storage {
namespace {

char zeros[max_fill_bytes];  // never written to, and so no memory

Status carry_out(Disk& disk, const Step& step, std::vector<std::string>& reads) {
  switch (step.kind) {
    case Step::Kind::write:
      return disk.write(step.name, step.offset, step.bytes);
    case Step::Kind::fill:
      return disk.write(step.name, step.offset, {zeros, narrow<std::size_t>(step.length)});
    case Step::Kind::sync:
      return disk.sync(step.name);
    case Step::Kind::push:
      return disk.push(step.name, step.offset, step.length);
    case Step::Kind::rename:
      return disk.rename(step.name, step.to);
    case Step::Kind::remove:
      return disk.remove(step.name);
    case Step::Kind::sync_directory:
      return disk.sync_directory();
    case Step::Kind::read:
      break;
  }
  auto bytes = disk.read(step.name, step.offset, step.length);
  if (!bytes) return bytes.error();
  reads.push_back(std::move(*bytes));
  return ok;
}

}  // namespace

bool can_pass(const Error& error) {
  return error.sys == ENOSPC || error.sys == EDQUOT || error.sys == EFBIG || error.sys == EMFILE ||
         error.sys == ENFILE;
}

BatchResult run(Disk& disk, const Batch& batch, const std::function<void()>& on_sync) {
  BatchResult result;
  for (const Step& step : batch.steps) {
    result.status = carry_out(disk, step, result.reads);
    if (!result.status) break;
    ++result.steps_done;
    if (on_sync && step.kind == Step::Kind::sync) on_sync();
  }
  result.rest.assign(batch.steps.begin() + static_cast<std::ptrdiff_t>(result.steps_done),
                     batch.steps.end());
  return result;
}

}  // namespace zatt::storage
