// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/error_code.h"

namespace zatt::codec {

std::string_view to_string(ErrorCode code) {
  switch (code) {
#define ZATT_SERVER_ERROR(name, ...) \
  case ErrorCode::name:              \
    return #name;
#include "codec/error_codes.def"
  }
  return "";
}

}  // namespace zatt::codec
