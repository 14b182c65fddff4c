// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/storage_directory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace zatt;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/zatt-directory-test.XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  std::string path;
};

// Empty where it was taken.
std::string refusal(const std::string& path) {
  const auto opened = server::open_storage_directory(path);
  if (!opened) return to_string(opened.error());
  close(*opened);
  return "";
}

void touch(const std::string& path) { std::ofstream(path) << "x"; }

}  // namespace

TEST_CASE("storage directory: new, empty, a file system's root, and one of ours are taken") {
  const Folder folder;
  CHECK(refusal(folder / "new") == "");
  CHECK(refusal(folder / "new/") == "");
  fs::create_directory(folder / "new/lost+found");
  CHECK(refusal(folder / "new") == "");
  for (const char* own : {"lock", "hard_state", "hard_state.new", "0000000001.seg"}) {
    fs::create_directory(folder / "ours");
    touch(folder / "ours/a stranger");
    CHECK(refusal(folder / "ours") != "");
    touch(folder / "ours/" + own);
    CHECK_MESSAGE(refusal(folder / "ours") == "", own);
    fs::remove_all(folder / "ours");
  }
}

TEST_CASE("storage directory: one of others is refused, and left as it was") {
  const Folder folder;
  touch(folder / "thesis.txt");
  const std::string why = refusal(folder.path);
  CHECK(why.find("thesis.txt") != std::string::npos);
  CHECK(why.find("new or empty") != std::string::npos);
  CHECK(!fs::exists(folder / "lock"));
}

TEST_CASE("storage directory: what is missing is named, from where it was looked for") {
  const Folder folder;
  CHECK(refusal(folder / "a/b/c").find("no directory " + folder.path + "/a/b ") !=
        std::string::npos);
  CHECK(!fs::exists(folder / "a"));
  CHECK(refusal("not-there/x").find(fs::current_path().string() + "/not-there") !=
        std::string::npos);
  touch(folder / "file");
  CHECK(refusal(folder / "file").find("Not a directory") != std::string::npos);
}
