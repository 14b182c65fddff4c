// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/posix_disk.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "storage/storage.h"

namespace zatt::server {
namespace {

// A directory of its own, gone with its test.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "zatt-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// No file grows beyond so many bytes: the system takes the part of a write that fits, and says so.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    struct rlimit now = before_;
    now.rlim_cur = bytes;
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  struct rlimit before_ {};
  void (*handler_)(int) = SIG_DFL;
};

std::unique_ptr<PosixDisk> open_disk(const std::string& path) {
  auto disk = PosixDisk::open(path);
  REQUIRE(disk);
  return std::move(*disk);
}

}  // namespace

TEST_CASE("posix_disk: files by name") {
  const Scratch scratch;
  auto disk = open_disk(scratch / "storage");
  CHECK((*disk->list()).empty());
  REQUIRE(disk->write("a", 4, "four"));
  CHECK(*disk->size("a") == 8);
  CHECK(*disk->read("a", 0, 100) == std::string("\0\0\0\0four", 8));
  CHECK(*disk->read("a", 6, 1) == "u");
  CHECK((*disk->read("a", 8, 1)).empty());
  CHECK(disk->sync("a"));

  REQUIRE(disk->write("b", 0, "other"));
  REQUIRE(disk->rename("a", "b"));  // replaces it, open files included
  CHECK(*disk->read("b", 4, 4) == "four");
  REQUIRE(disk->write("b", 0, "more"));
  CHECK(*disk->list() == std::vector<std::string>{"b"});
  CHECK(disk->sync_directory());
  REQUIRE(disk->remove("b"));
  CHECK((*disk->list()).empty());

  const auto missing = disk->read("b", 0, 1);
  REQUIRE(!missing);
  CHECK(missing.error().sys == ENOENT);
  CHECK(to_string(missing.error()) ==
        "opening: " + scratch / "storage" + "/b: No such file or directory");
  CHECK(!disk->remove("b"));
  CHECK(!disk->rename("b", "c"));
  CHECK(!disk->sync("b"));
}

TEST_CASE("posix_disk: more files than it keeps open") {
  const Scratch scratch;
  auto disk = open_disk(scratch / "storage");
  for (int i = 0; i < 40; ++i) {
    const std::string name = std::to_string(i);
    REQUIRE(disk->write(name, 0, name));
    if (i % 3 == 0) CHECK(disk->sync(name));
  }
  for (int i = 0; i < 40; ++i) {
    const std::string name = std::to_string(i);
    CHECK(*disk->read(name, 0, 9) == name);
    CHECK(disk->sync(name));
  }
  CHECK((*disk->list()).size() == 40);
}

TEST_CASE("posix_disk: what a host has closed, and others write to, is no file of ours") {
  const Scratch scratch;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (int fd = 0; fd <= 2; ++fd) ::close(fd);
    auto disk = PosixDisk::open(scratch / "storage");
    if (!disk || !(*disk)->write("a", 0, "text") || !(*disk)->sync("a")) ::_exit(2);
    for (int fd = 0; fd <= 2; ++fd)
      if (::fcntl(fd, F_GETFD) >= 0) ::_exit(1);
    ::_exit(PosixDisk::open(scratch / "storage") ? 3 : 0);  // it is locked all the same
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("posix_disk: one process holds a directory, and the other reads who") {
  const Scratch scratch;
  const std::string path = scratch / "zatt.0.persist";
  auto disk = open_disk(path);
  const auto second = PosixDisk::open(path);  // another descriptor is as good as another process
  REQUIRE(!second);
  CHECK(second.error().code == Code::locked);
  CHECK(second.error().detail == path + " is in use by process " + std::to_string(::getpid()));
  disk.reset();
  CHECK(PosixDisk::open(path));

  // A stale file names nobody: the lock ends with its process, whatever stands in it.
  std::ofstream(path + "/lock") << "4711\n";
  CHECK(PosixDisk::open(path));

  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto held = PosixDisk::open(path);
    const char answer = held ? 'y' : 'n';
    if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  REQUIRE(::read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  const auto third = PosixDisk::open(path);
  REQUIRE(!third);
  CHECK(third.error().detail == path + " is in use by process " + std::to_string(child));
  ::kill(child, SIGKILL);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(PosixDisk::open(path));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("posix_disk: what is in the way is said") {
  const Scratch scratch;
  std::ofstream(scratch / "file") << "x";
  const auto on_file = PosixDisk::open(scratch / "file");
  REQUIRE(!on_file);
  CHECK(to_string(on_file.error()) ==
        "opening the storage directory: " + scratch / "file" + ": Not a directory");
  const auto nowhere = PosixDisk::open(scratch / "no/such");
  REQUIRE(!nowhere);
  CHECK(nowhere.error().sys == ENOENT);
}

TEST_CASE("posix_disk: a write that is taken in part is not done") {
  const Scratch scratch;
  auto disk = open_disk(scratch / "storage");
  Status written = ok;
  {
    const FileLimit limit(6000);
    written = disk->write("a", 0, std::string(8192, 'x'));
  }
  REQUIRE(!written);
  CHECK(written.error().sys == EFBIG);
  CHECK(*disk->size("a") == 6000);
}

TEST_CASE("posix_disk: a storage lives on it") {
  const Scratch scratch;
  storage::Options options;
  options.directory = scratch / "storage";
  options.segment_bytes = 64 << 10;
  storage::HardState state;
  state.self = {"0", 7};
  const std::string body(3000, 'x');
  for (std::uint64_t round = 0; round < 4; ++round) {
    auto disk = open_disk(options.directory);
    std::uint64_t entries = 0;
    auto found = storage::scan(*disk, options, [&](const EntryView& entry) {
      CHECK(raw(entry.index) == ++entries);
      CHECK(entry.body == body);
    });
    REQUIRE(found);
    CHECK(entries == round * 30);
    CHECK(!found->damage);
    auto started = storage::Storage::start(*disk, options, std::move(*found), state);
    REQUIRE(started);
    std::vector<EntryView> views;
    for (std::uint64_t i = 1; i <= 30; ++i)
      views.push_back({Index{entries + i}, Term{1}, 0, EntryKind::command, body});
    (*started)->write({.number = WriteNumber{1}, .append = views});
    WriteNumber durable{};
    while (auto batch = (*started)->take_batch(1)) {
      const auto done = (*started)->on_done(storage::run(*disk, *batch), 1);
      REQUIRE(done.status);
      durable = done.durable;
    }
    CHECK(durable == WriteNumber{1});
  }
}

}  // namespace zatt::server
