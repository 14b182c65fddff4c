// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "base/narrow.h"

namespace zatt::server {
namespace {

constexpr std::size_t own =
    40;  // at most, with links to nobody, and those that wait at the acceptor
constexpr std::size_t a_member = 3;  // a link each way, and one that is being replaced
constexpr std::size_t comfort = 24;  // where there are enough
constexpr std::size_t some_clients = 8;
constexpr std::size_t plenty = 256;
constexpr std::size_t most_descriptors = 1 << 20;

std::size_t limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return plenty;
  return narrow<std::size_t>(std::min<rlim_t>(files.rlim_cur, most_descriptors));
}

std::size_t kept_back(std::size_t members) { return own + a_member * (members - 1); }

}  // namespace

std::size_t descriptors_for_clients(std::size_t members) {
  const std::size_t all = limit();
  const std::size_t kept = kept_back(members) + (all >= plenty ? comfort : 0);
  return all > kept ? all - kept : 0;
}

Status enough_descriptors(std::size_t members) {
  const std::size_t wanted = kept_back(members) + some_clients;
  if (limit() >= wanted) return ok;
  return Error{Code::invalid, 0, "",
               "this node may open " + std::to_string(limit()) + " files and needs " +
                   std::to_string(wanted) + "; raise the limit (ulimit -n, LimitNOFILE=)"};
}

}  // namespace zatt::server
