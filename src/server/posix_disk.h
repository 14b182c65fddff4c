// SPDX-License-Identifier: AGPL-3.0-or-later
// storage::Disk made real: the files of one directory, which one process at a time may hold.
//
// All calls block, and belong on the log's own threads (or before they start): read() on any, the
// others on one. Files that are written stay open, so that a write costs one system call and a sync
// one more.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/disk.h"

namespace zatt::server {

class PosixDisk final : public storage::Disk {
 public:
  // Makes the directory where there is none, refuses one with files of others, and locks it:
  // Code::locked, naming the process, where another one holds it. The lock ends with this object,
  // or with the process.
  static Result<std::unique_ptr<PosixDisk>> open(const std::string& path);
  ~PosixDisk() override;

  Result<std::vector<std::string>> list() override;  // without the lock's own file
  Result<std::uint64_t> size(const std::string& name) override;
  Result<std::string> read(const std::string& name, std::uint64_t offset,
                           std::uint64_t length) override;
  Status write(const std::string& name, std::uint64_t offset, std::string_view bytes) override;
  Status sync(const std::string& name) override;
  Status push(const std::string& name, std::uint64_t offset, std::uint64_t length) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& name) override;
  Status sync_directory() override;

 private:
  // A descriptor, closed exactly once. Never one of the first three: where a host has closed them,
  // what anybody says on stderr would be written into the log.
  class Fd {
   public:
    Fd() = default;
    explicit Fd(int fd);  // takes it; -1: none
    Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Fd& operator=(Fd&& other) noexcept;
    ~Fd();
    int get() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }

   private:
    int fd_ = -1;
  };
  struct OpenFile {
    Fd fd;
    bool is_dirty = false;  // closing it could lose the report of a failed write
    std::uint64_t used = 0;
  };

  PosixDisk(std::string path, Fd directory, Fd lock);
  // Locks the directory for as long as `lock` is open. Code::locked as open() says.
  static Status take_lock(const std::string& path, int directory, Fd& lock);
  // The file, opened where it is not; made, if `create`, where there is none. Valid until the next
  // call.
  Result<OpenFile*> file(const std::string& name, bool create);
  // Closes the file that was not used for the longest time, of those that may be closed.
  void close_oldest();
  // Descriptors that nobody else of this process can take: files of the log are opened in their
  // place where no others are left.
  void keep_some_back();
  // Gives up one of those, or closes a file. False: there is neither.
  bool make_descriptor_free();
  // The same for one read, whose descriptor is its own.
  Fd open_to_read(const std::string& name);
  // As openat(2) in the directory, with a descriptor made free if need be; -1 and errno.
  int open_file(const std::string& name, int flags);
  // Of errno: `what` could not be done with the file.
  Error error(const char* what, const std::string& name) const;

  std::string path_;
  Fd directory_;
  Fd lock_;
  std::map<std::string, OpenFile> files_;
  std::uint64_t uses_ = 0;
  std::vector<Fd> kept_back_;
  std::mutex reading_;  // guards what follows
  Fd kept_for_reading_;
};

}  // namespace zatt::server
