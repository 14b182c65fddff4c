// SPDX-License-Identifier: AGPL-3.0-or-later
// Is it JSON? Decided as it is decided where it is sent: by zatt.h itself.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "zatt/zatt.h"

namespace zatt::cli {

// Judges values with a client that never connects to anybody.
class JsonValidator {
 public:
  JsonValidator();
  // Nothing: it is JSON. Else a sentence on why it is not.
  std::optional<std::string> what_is_wrong_with(const std::string& value);

 private:
  struct Closer {
    void operator()(zatt_client* client) const { zatt_client_close(client); }
  };
  std::unique_ptr<zatt_client, Closer> client_;
};

}  // namespace zatt::cli
