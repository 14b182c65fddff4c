// SPDX-License-Identifier: AGPL-3.0-or-later
#include "zattd/help.h"

#include <algorithm>

namespace zatt {

const std::string_view help_text =
    R"(zattd - one node of a small, durable, replicated JSON dictionary

  zattd                                  a store of one node, to try things on: 127.0.0.1:5254,
                                         its data in ./zatt.0.persist
  zattd -c zatt.conf --id 0              node 0 of the cluster that zatt.conf names
  echo '{"op":"set","key":"k","value":1}' | nc -N 127.0.0.1 5254     ask any node

zatt.conf is the same file on every node:

  {"cluster": {"0": ["10.0.0.1", 5254], "1": ["10.0.0.2", 5254], "2": ["10.0.0.3", 5254]}}

Which node, of which cluster
  -c, --config FILE          the file; without it this node is a cluster of its own
  -i, --id ID                which of its nodes this is
  -s, --storage DIR          where its data is (zatt.ID.persist); removing it erases the node.
                             Made where it is not there, but not what it is in
  --remote-address HOST --remote-port PORT
                             instead of a file: once for each of the other nodes. With -a and -p
                             of this node they are the cluster; ids are 0, 1, 2, ... by address

What it listens on
  -a, --address HOST         its own entry in the file, unless given; 0.0.0.0 listens on all
  -p, --port PORT            likewise; clients and the other nodes use the same port

Rarely needed
  --election-timeout-ms N    a leader not heard of for so long, up to twice, is replaced (600)
  --max-request-bytes N      the longest request line taken (1114112; 4096 to 16777216)
  --max-buffer-bytes N       held for all clients together: requests on their way, answers that are
                             not read (64 MiB, or a sixteenth of the machine's memory)
  --segment-bytes N          the size of the log's files (4194304)
  --create auto|never        never: refuse to start on an empty directory, as one is where a disk
                             was not mounted (auto)

Looking at it
  --debug                    say more in the log, which goes to stderr
  --check-config             say whether the settings are good, and do nothing
  --print-config             show each setting and where it came from, and do nothing
  --version, -h, --help

Options win over the environment (ZATT_CONFIG, ZATT_ID, ZATT_STORAGE, ZATT_ADDRESS, ZATT_PORT,
ZATT_ELECTION_TIMEOUT_MS, ZATT_DEBUG, ...), the environment over the file ("id", "storage",
"address", "port", "election_timeout_ms", "max_request_bytes", "max_buffer_bytes", "segment_bytes",
"create", "debug").

A cluster starts once all its nodes have met; from then on more than half of them are enough.
SIGTERM or ^C finishes what is in flight. Exit codes: 0 stopped, 1 nobody took the output, 2 options
or configuration, 3 cannot listen, or too few files may be open, 4 storage unusable, 5 the disk
failed, 6 refused by the cluster, 7 out of memory.
)";

std::string printed_config(const Settings& settings) {
  std::size_t name_width = 0;
  std::size_t value_width = 0;
  for (const Settings::Line& line : settings.lines) {
    name_width = std::max(name_width, line.name.size());
    value_width = std::max(value_width, line.value.size());
  }
  std::string text;
  for (const Settings::Line& line : settings.lines) {
    text += line.name + std::string(name_width + 2 - line.name.size(), ' ');
    text += line.value + std::string(value_width + 2 - line.value.size(), ' ');
    text += line.from + "\n";
  }
  return text;
}

}  // namespace zatt
