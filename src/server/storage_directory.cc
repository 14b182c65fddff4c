// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/storage_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include "storage/format.h"
#include "storage/slots.h"

namespace zatt::server {

Error system_error(const char* what, const std::string& detail) {
  return Error{Code::io, errno, what, detail};
}

namespace {

Error refused(const std::string& why) { return Error{Code::foreign, 0, "", why}; }

Error missing(const std::string& why) { return Error{Code::io, ENOENT, "", why}; }

std::string parent_of(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::size_t slash = trimmed.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : trimmed.substr(0, slash);
}

std::string working_directory() {
  char path[PATH_MAX];
  return ::getcwd(path, sizeof path) == nullptr ? "" : path;
}

std::string absolute(const std::string& path) {
  const std::string from = working_directory();
  if (path.starts_with('/') || from.empty()) return path;
  return path == "." ? from : (from == "/" ? "" : from) + "/" + path;
}

// Makes the name of `directory`, which is at `path`, durable. Whoever may not read the parent syncs
// the whole file system. Above a mounted disk there may be one that knows no sync.
Status sync_name(int directory, const std::string& path) {
  const int fd = ::openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno != EACCES) return system_error("opening the directory above", path);
  const int rc = fd < 0 ? ::syncfs(directory) : ::fsync(fd);
  const Error failed = system_error("syncing the directory above", path);
  if (fd >= 0) ::close(fd);
  if (rc < 0 && failed.sys != EINVAL && failed.sys != EROFS) return failed;
  return ok;
}

Error cannot_make(const std::string& path) {
  const int sys = errno;
  if (sys == ENOENT && !path.starts_with('/') && working_directory().empty())
    return missing("the directory that this node was started in is gone, and " + path +
                   " would be in it; give -s with a whole path");
  if (sys == ENOENT)
    return missing("there is no directory " + absolute(parent_of(path)) +
                   " to make the storage directory " + path +
                   " in; is the disk mounted that should be there? else make it first (mkdir -p)");
  errno = sys;
  return system_error("making the storage directory", absolute(path));
}

bool is_ours(std::string_view name) {
  return name == lock_name || name == storage::hard_state_name ||
         name == storage::unfinished_hard_state_name || storage::parse_file_name(name);
}

// A node's directory, also one that lost some of its files, has at least one; a new one has none
// but what a file system's root has.
Status check_contents(int directory, const std::string& path) {
  const int fd = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("opening the storage directory", path);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (!stream) {
    ::close(fd);
    return system_error("listing the storage directory", path);
  }
  std::string foreign;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || name == "lost+found") continue;
    if (is_ours(name)) return ok;
    foreign = name;
  }
  if (foreign.empty()) return ok;
  return refused(absolute(path) + " holds files that are not a node's, " + foreign +
                 " among them; give -s a directory of this node's own, new or empty");
}

}  // namespace

Result<int> open_storage_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return cannot_make(path);
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("opening the storage directory", absolute(path));
  Status good = check_contents(fd, path);
  // Before the first promise in it, whoever has made it.
  const bool is_new = ::faccessat(fd, storage::hard_state_name, F_OK, 0) != 0;
  if (good && is_new) good = sync_name(fd, path);
  if (good) return fd;
  ::close(fd);
  return good.error();
}

}  // namespace zatt::server
