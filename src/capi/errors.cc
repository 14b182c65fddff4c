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
    {ZATT_ECONDITION, ZATT_KIND_NO, "condition_failed",
     "the condition does not hold; nothing was changed"},
    {ZATT_ENOTFOUND, ZATT_KIND_NO, "not_found", "the server knows no such member or watch"},
    {ZATT_ENOSERVER, ZATT_KIND_RETRY, "no_server", "no server could be reached"},
    {ZATT_ENOLEADER, ZATT_KIND_RETRY, "no_leader", "no leader was found in time"},
    {ZATT_EUNAVAILABLE, ZATT_KIND_RETRY, "unavailable", "the answer was not confirmed in time"},
    {ZATT_EOVERLOADED, ZATT_KIND_RETRY, "overloaded", "too many requests wait already"},
    {ZATT_ESHUTTINGDOWN, ZATT_KIND_RETRY, "shutting_down", "the server is stopping"},
    {ZATT_EUNKNOWN, ZATT_KIND_UNKNOWN, "outcome_unknown",
     "the write may take effect now, later or never"},
    {ZATT_EBADREQUEST, ZATT_KIND_REFUSED, "bad_request", "the request breaks a rule"},
    {ZATT_ETOOLARGE, ZATT_KIND_REFUSED, "too_large", "the request is over a limit"},
    {ZATT_ESTORAGEFULL, ZATT_KIND_REFUSED, "storage_full", "the disk has no room for more writes"},
    {ZATT_EUNAUTHORIZED, ZATT_KIND_REFUSED, "unauthorized", "not allowed on this connection"},
    {ZATT_ECOMPACTED, ZATT_KIND_REFUSED, "compacted", "what was asked for is no longer kept"},
    {ZATT_ESESSION, ZATT_KIND_REFUSED, "session_expired", "the session is gone"},
    {ZATT_ESTALESEQ, ZATT_KIND_REFUSED, "stale_seq", "the session no longer knows this write"},
    {ZATT_EREFUSED, ZATT_KIND_REFUSED, "refused", "refused, with a code that is not known here"},
    {ZATT_EINVAL, ZATT_KIND_USAGE, "invalid", "an argument breaks a rule; nothing was sent"},
    {ZATT_ECANCELED, ZATT_KIND_RETRY, "canceled", "given up; nothing happened"},
    {ZATT_EBUSY, ZATT_KIND_USAGE, "busy", "not from within a callback"},
    {ZATT_ESTOPPED, ZATT_KIND_RETRY, "stopped", "the node has stopped"},
    {ZATT_EADDRESS, ZATT_KIND_REFUSED, "address", "cannot listen on this address"},
    {ZATT_ESTORAGE, ZATT_KIND_REFUSED, "storage", "the storage cannot be used"},
    {ZATT_EDISK, ZATT_KIND_REFUSED, "disk", "a write to the disk failed"},
    {ZATT_EEXPELLED, ZATT_KIND_REFUSED, "expelled", "the cluster refuses this node"},
};

const Row& row_of(int error) {
  constexpr static Row unknown_error = {0, ZATT_KIND_USAGE, "unknown", "no error of this library"};
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
