// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/json_validator.h"

#include <cstdlib>

namespace zatt::cli {

JsonValidator::JsonValidator() {
  const zatt_client_options options = zatt_client_options_of("127.0.0.1:1");
  zatt_client* client = nullptr;
  if (zatt_client_open(&options, &client) != ZATT_OK) std::abort();  // numbers need no look-up
  client_.reset(client);
}

std::optional<std::string> JsonValidator::what_is_wrong_with(const std::string& value) {
  zatt_request request = zatt_request_of(ZATT_OP_SET);
  request.key = zatt_str("");
  request.value = {value.data(), value.size()};
  const auto ignore = [](void*, const zatt_reply*) {};
  const int error = zatt_client_send(client_.get(), &request, ignore, nullptr);
  if (error == ZATT_OK) return std::nullopt;
  std::string why = zatt_client_message(client_.get());
  return why.empty() ? zatt_error_text(error) : why;
}

}  // namespace zatt::cli
