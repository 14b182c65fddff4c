// SPDX-License-Identifier: AGPL-3.0-or-later
// What each error is called, means, and says to a person.
#include <iterator>

#include "base/version.h"
#include "zatt/zatt.h"

namespace {

struct Row {
  int error;
  int kind;
  const char* name;
  const char* text;
};
constexpr Row rows[] = {
    {ZATT_OK, ZATT_KIND_OK, "ok", "done"},
#define ZATT_ROW(name, error, kind, text) {error, kind, #name, text},
#define ZATT_SERVER_ERROR ZATT_ROW
#define ZATT_CLIENT_ERROR ZATT_ROW
#define ZATT_LIBRARY_ERROR ZATT_ROW
#include "codec/error_codes.def"
};

const Row& row_of(int error) {
  constexpr static Row unknown_error = {0, ZATT_KIND_USAGE, "unknown",
                                        "not an error of this library"};
  for (const Row& row : rows)
    if (row.error == error) return row;
  return unknown_error;
}

}  // namespace

extern "C" {

const char* zatt_version(void) { return zatt::version_text.data(); }
int zatt_error_kind(int error) { return row_of(error).kind; }
const char* zatt_error_name(int error) { return row_of(error).name; }
const char* zatt_error_text(int error) { return row_of(error).text; }

}  // extern "C"
