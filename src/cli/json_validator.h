// SPDX-License-Identifier: AGPL-3.0-or-later
// Says whether a value is JSON, by the very code of zatt.h that will send it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "zatt/zatt.h"

namespace zatt::cli {

// Checks values with a client that never connects to anybody.
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
