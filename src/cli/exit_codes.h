// SPDX-License-Identifier: AGPL-3.0-or-later
// What the command ends with. Scripts decide by these numbers: they are part of the interface.
//
// 0 to 5 are zatt_error_kind()'s own.
#pragma once

#include "zatt/zatt.h"

namespace zatt::cli {

enum Exit : int {
  done = ZATT_KIND_OK,
  no = ZATT_KIND_NO,  // absent, a condition that did not hold, a cluster that is degraded
  wrong_usage = ZATT_KIND_USAGE,
  try_again = ZATT_KIND_RETRY,  // nothing happened
  unknown = ZATT_KIND_UNKNOWN,  // a write may take effect now, later or never
  refused = ZATT_KIND_REFUSED,  // for good
  output_lost = 6,              // all was done, and the output could not be written
  interrupted = 130,            // by a signal: which one, main() knows
  closed_pipe = 141,            // nobody reads the output any more
};

}  // namespace zatt::cli
