// SPDX-License-Identifier: AGPL-3.0-or-later
// May this node run on what is in this directory?
//
// Read first, judged, and only then written to: a folder of another node, of another cluster, or
// damaged where nobody could repair it, is left as it is.
#pragma once

#include <memory>

#include "base/result.h"
#include "node/env.h"
#include "node/options.h"
#include "raft/raft.h"
#include "storage/disk.h"
#include "storage/storage.h"

namespace zatt::node {

struct Opened {
  std::unique_ptr<storage::Storage> storage;
  std::unique_ptr<raft::Raft> raft;
};

Result<Opened> open_directory(const Options& options, Env& env, storage::Disk& disk);

// A cluster's identity as people see it: 16 hexadecimal digits.
std::string cluster_name(ClusterId cluster);

}  // namespace zatt::node
