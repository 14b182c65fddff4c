// SPDX-License-Identifier: AGPL-3.0-or-later
// Makes a process fit to be a node before anything else happens in it, however it was started:
// with descriptors missing, with signals ignored or blocked, with little memory.
#pragma once

#include <string>
#include <vector>

namespace zatt {

enum Exit : int {
  stopped = 0,
  output_failed = 1,
  bad_options = 2,
  cannot_listen = 3,
  bad_storage = 4,
  disk_failed = 5,
  refused = 6,        // by a majority of the members
  out_of_memory = 7,  // or of threads
};

void prepare_process();

// Until the node serves, a signal that stops it ends the process at once, with a word: nothing was
// said to anybody yet.
void stop_at_once_when_told();

// "NAME=VALUE", each.
std::vector<std::string> environment_lines();

}  // namespace zatt
