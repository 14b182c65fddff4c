// SPDX-License-Identifier: AGPL-3.0-or-later
// The little that storage/ asks of a disk: files of one directory, by name.
//
// Its real heir (server/posix_disk) runs on the log's own threads, its fake (tests/sim) forgets what
// was not synced. Every call blocks until it is done; storage/ hands calls over in batches
// (batch.h), so that the thread of the node never waits for one. read() may be called by one thread
// while another is in any call: of the same file, too, but never of one that is renamed or removed
// meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace zatt::storage {

class Disk {
 public:
  Disk() = default;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  virtual ~Disk() = default;

  // The directory's files, in any order. Names have no '/'.
  virtual Result<std::vector<std::string>> list() = 0;
  virtual Result<std::uint64_t> size(const std::string& name) = 0;
  // Up to `length` bytes from `offset`: fewer only at the file's end.
  virtual Result<std::string> read(const std::string& name, std::uint64_t offset,
                                   std::uint64_t length) = 0;
  // Writes all of `bytes` or fails; the file is made where there is none, and grows.
  virtual Status write(const std::string& name, std::uint64_t offset, std::string_view bytes) = 0;
  // fdatasync: what was written to the file before is durable, its size too.
  virtual Status sync(const std::string& name) = 0;
  // Has what was written to this stretch on its way to the device, and waits for nothing: it is no
  // more durable for it.
  virtual Status push(const std::string& name, std::uint64_t offset, std::uint64_t length) = 0;
  // Replaces `to` where it exists. Durable only after sync_directory, as creation and removal are.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& name) = 0;
  virtual Status sync_directory() = 0;
};

}  // namespace zatt::storage
