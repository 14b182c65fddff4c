// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/descriptors.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

using zatt::Status;
using zatt::server::descriptors_for_clients;
using zatt::server::enough_descriptors;

namespace {

// The process's limit of open files, until the end of a scope.
class Limit {
 public:
  explicit Limit(rlim_t files) {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit now = before_;
    now.rlim_cur = files;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &now) == 0);
  }
  ~Limit() { setrlimit(RLIMIT_NOFILE, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("descriptors: clients get what the log and each other member do not need") {
  {
    const Limit limit(64);
    CHECK(descriptors_for_clients(1) == 24);
    CHECK(descriptors_for_clients(3) == 18);  // 40 of its own, and 3 a member
    CHECK(descriptors_for_clients(7) == 6);
  }
  {
    const Limit limit(256);  // where there are enough some more are kept back
    CHECK(descriptors_for_clients(3) == 186);
  }
  const Limit limit(40);
  CHECK(descriptors_for_clients(1) == 0);
  CHECK(descriptors_for_clients(7) == 0);
}

TEST_CASE("descriptors: a node that could serve hardly anyone is told so, and how many it needs") {
  {
    const Limit limit(54);
    CHECK(enough_descriptors(3));
    CHECK_FALSE(enough_descriptors(5));
  }
  const Limit limit(53);
  const Status enough = enough_descriptors(3);
  REQUIRE_FALSE(enough);
  CHECK(enough.error().detail ==
        "this node may open 53 files and needs 54; raise the limit (ulimit -n, LimitNOFILE=)");
}
