// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <utility>

#include "base/narrow.h"
#include "server/storage_directory.h"

namespace zatt::server {
namespace {

constexpr std::size_t most_open_files = 16;
constexpr std::size_t most_kept_back = 4;

// Calls again what a signal interrupted.
template <class Call>
auto run_again(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

std::string holder_of(int lock) {
  char text[32];
  const ssize_t size = run_again([&] { return ::pread(lock, text, sizeof text, 0); });
  std::string pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  pid.erase(std::find_if(pid.begin(), pid.end(), [](char c) { return c < '0' || c > '9'; }),
            pid.end());
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

PosixDisk::Fd::Fd(int fd) : fd_(fd) {
  if (fd < 0 || fd > STDERR_FILENO) return;
  fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int sys = errno;
  ::close(fd);
  errno = sys;
}

PosixDisk::Fd& PosixDisk::Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

PosixDisk::Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

PosixDisk::PosixDisk(std::string path, Fd directory, Fd lock)
    : path_(std::move(path)), directory_(std::move(directory)), lock_(std::move(lock)) {}

PosixDisk::~PosixDisk() = default;

Status PosixDisk::take_lock(const std::string& path, int directory, Fd& lock) {
  lock = Fd(run_again([&] {
    return ::openat(directory, lock_name.data(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  }));
  if (!lock.is_open()) return system_error("can't write in the storage directory", path);
  if (run_again([&] { return ::flock(lock.get(), LOCK_EX | LOCK_NB); }) < 0) {
    if (errno != EWOULDBLOCK) return system_error("locking the storage directory", path);
    return Error{Code::locked, 0, "the storage directory is taken",
                 path + " is in use by " + holder_of(lock.get())};
  }
  // Only for the other one's message: a full disk is no reason not to start.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) == 0)
    static_cast<void>(run_again([&] { return ::pwrite(lock.get(), pid.data(), pid.size(), 0); }));
  return ok;
}

Result<std::unique_ptr<PosixDisk>> PosixDisk::open(const std::string& path) {
  auto opened = open_storage_directory(path);
  if (!opened) return opened.error();
  Fd directory(*opened);
  Fd lock;
  if (auto taken = take_lock(path, directory.get(), lock); !taken) return taken.error();
  std::unique_ptr<PosixDisk> disk(new PosixDisk(path, std::move(directory), std::move(lock)));
  disk->keep_some_back();
  return disk;
}

Error PosixDisk::error(const char* what, const std::string& name) const {
  Error failed = system_error(what, path_ + "/" + name);
  if (failed.sys == EFBIG)
    failed.detail += " may not become as large as the log's files are (ulimit -f, LimitFSIZE=)";
  if (failed.sys == EMFILE) failed.detail += " (see ulimit -n, LimitNOFILE=)";
  if (failed.sys == ENFILE) failed.detail += " (see sysctl fs.file-max)";
  return failed;
}

// --- open files ------------------------------------------------------------------------------

void PosixDisk::keep_some_back() {
  while (kept_back_.size() < most_kept_back) {
    Fd spare(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0));
    if (!spare.is_open()) return;
    kept_back_.push_back(std::move(spare));
  }
}

// Whether there is one descriptor more than there was.
bool PosixDisk::make_descriptor_free() {
  if (!kept_back_.empty()) {
    kept_back_.pop_back();
    return true;
  }
  const std::size_t before = files_.size();
  close_oldest();
  return files_.size() < before;
}

int PosixDisk::open_file(const std::string& name, int flags) {
  while (true) {
    const int fd = run_again([&] { return ::openat(directory_.get(), name.c_str(), flags, 0600); });
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE)) return fd;
    const int sys = errno;
    if (!make_descriptor_free()) {
      errno = sys;
      return -1;
    }
  }
}

PosixDisk::Fd PosixDisk::open_to_read(const std::string& name) {
  // O_NONBLOCK: a pipe in place of a file keeps nobody waiting.
  const auto open = [&] {
    return Fd(run_again([&] {
      return ::openat(directory_.get(), name.c_str(),
                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    }));
  };
  const std::lock_guard lock(reading_);
  if (!kept_for_reading_.is_open())
    kept_for_reading_ = Fd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0));
  Fd opened = open();
  if (opened.is_open() || (errno != EMFILE && errno != ENFILE)) return opened;
  kept_for_reading_ = Fd();  // and another thread has to be as quick as this one
  return open();
}

void PosixDisk::close_oldest() {
  auto oldest = files_.end();
  for (auto at = files_.begin(); at != files_.end(); ++at)
    if (!at->second.is_dirty && (oldest == files_.end() || at->second.used < oldest->second.used))
      oldest = at;
  if (oldest != files_.end()) files_.erase(oldest);
}

Result<PosixDisk::OpenFile*> PosixDisk::file(const std::string& name, bool create) {
  const auto found = files_.find(name);
  if (found != files_.end()) {
    found->second.used = ++uses_;
    return &found->second;
  }
  if (files_.size() >= most_open_files) close_oldest();
  keep_some_back();
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
  OpenFile opened;
  opened.fd = Fd(open_file(name, flags));
  if (!opened.fd.is_open()) return error(create ? "making" : "opening", name);
  opened.used = ++uses_;
  return &files_.emplace(name, std::move(opened)).first->second;
}

// --- the calls -------------------------------------------------------------------------------

Result<std::vector<std::string>> PosixDisk::list() {
  const int fd = run_again(
      [&] { return ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) return error("opening", "");
  DIR* stream = ::fdopendir(fd);
  if (stream == nullptr) {
    const Error failed = error("listing", "");
    ::close(fd);
    return failed;
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    std::string name = entry->d_name;
    if (name != "." && name != ".." && name != lock_name) names.push_back(std::move(name));
    errno = 0;
  }
  const bool failed = errno != 0;
  const Error why = error("listing", "");
  ::closedir(stream);
  if (failed) return why;
  return names;
}

Result<std::uint64_t> PosixDisk::size(const std::string& name) {
  auto opened = file(name, false);
  if (!opened) return opened.error();
  struct stat status {};
  if (::fstat((*opened)->fd.get(), &status) < 0) return error("asking the size of", name);
  return static_cast<std::uint64_t>(status.st_size);
}

// Whoever opens and closes a file reports no failed write of it: that is for the one who syncs.
Result<std::string> PosixDisk::read(const std::string& name, std::uint64_t offset,
                                    std::uint64_t length) {
  const Fd fd = open_to_read(name);
  if (!fd.is_open()) return error("opening", name);
  struct stat status {};
  if (::fstat(fd.get(), &status) < 0) return error("asking the size of", name);
  const auto total = static_cast<std::uint64_t>(status.st_size);
  if (offset >= total) return std::string();
  std::string bytes(narrow<std::size_t>(std::min(length, total - offset)), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = run_again([&] {
      return ::pread(fd.get(), bytes.data() + done, bytes.size() - done,
                     static_cast<off_t>(offset + done));
    });
    if (got < 0) return error("reading", name);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Status PosixDisk::write(const std::string& name, std::uint64_t offset, std::string_view bytes) {
  auto opened = file(name, true);
  if (!opened) return opened.error();
  (*opened)->is_dirty = true;
  while (!bytes.empty()) {
    const ssize_t put = run_again([&] {
      return ::pwrite((*opened)->fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (put < 0) return error("writing", name);
    if (put == 0) {
      errno = EIO;  // a file system that takes nothing and does not say why
      return error("writing", name);
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return ok;
}

Status PosixDisk::sync(const std::string& name) {
  auto opened = file(name, false);
  if (!opened) return opened.error();
  if (run_again([&] { return ::fdatasync((*opened)->fd.get()); }) < 0)
    return error("syncing", name);
  (*opened)->is_dirty = false;
  return ok;
}

Status PosixDisk::push(const std::string& name, std::uint64_t offset, std::uint64_t length) {
  auto opened = file(name, false);
  if (!opened) return opened.error();
  const auto at = static_cast<off_t>(offset);
  const auto bytes = static_cast<off_t>(length);
  // A file system that cannot is none that fails: the sync that follows does the same, later.
  if (run_again([&] {
        return ::sync_file_range((*opened)->fd.get(), at, bytes, SYNC_FILE_RANGE_WRITE);
      }) < 0 &&
      errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
    return error("writing", name);
  return ok;
}

Status PosixDisk::rename(const std::string& from, const std::string& to) {
  if (run_again([&] {
        return ::renameat(directory_.get(), from.c_str(), directory_.get(), to.c_str());
      }) < 0)
    return error("renaming", from);
  files_.erase(to);
  auto moved = files_.extract(from);
  if (moved.empty()) return ok;
  moved.key() = to;
  files_.insert(std::move(moved));
  return ok;
}

Status PosixDisk::remove(const std::string& name) {
  if (run_again([&] { return ::unlinkat(directory_.get(), name.c_str(), 0); }) < 0)
    return error("removing", name);
  files_.erase(name);
  return ok;
}

Status PosixDisk::sync_directory() {
  if (run_again([&] { return ::fsync(directory_.get()); }) < 0) return error("syncing", ".");
  return ok;
}

}  // namespace zatt::server
