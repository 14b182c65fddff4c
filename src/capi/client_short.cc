// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt.h's blocking calls in their short forms: each fills in a request.
#include "zatt/zatt.h"

namespace {

zatt_request write_if(int op, const char* key, zatt_condition condition) {
  zatt_request request = zatt_request_of(op);
  request.key = zatt_str(key);
  request.condition = condition.kind;
  request.if_rev = condition.rev;
  request.if_value = condition.value;
  return request;
}

}  // namespace

extern "C" {

int zatt_client_get(zatt_client* client, const char* key, const zatt_reply** reply) {
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  request.key = zatt_str(key);
  return zatt_client_call(client, &request, reply);
}

int zatt_client_set(zatt_client* client, const char* key, const char* value, uint64_t* rev) {
  zatt_request request = zatt_request_of(ZATT_OP_SET);
  request.key = zatt_str(key);
  request.value = zatt_str(value);
  const zatt_reply* reply = nullptr;
  const int error = zatt_client_call(client, &request, &reply);
  if (error == ZATT_OK && reply != nullptr && rev != nullptr) *rev = reply->rev;
  return error;
}

int zatt_client_delete(zatt_client* client, const char* key, int* found) {
  zatt_request request = zatt_request_of(ZATT_OP_DELETE);
  request.key = zatt_str(key);
  const zatt_reply* reply = nullptr;
  const int error = zatt_client_call(client, &request, &reply);
  if (error == ZATT_OK && reply != nullptr && found != nullptr) *found = reply->found;
  return error;
}

int zatt_client_incr(zatt_client* client, const char* key, int64_t by, int64_t* number) {
  zatt_request request = zatt_request_of(ZATT_OP_INCR);
  request.key = zatt_str(key);
  request.by = by;
  const zatt_reply* reply = nullptr;
  const int error = zatt_client_call(client, &request, &reply);
  if (error == ZATT_OK && reply != nullptr && number != nullptr) *number = reply->number;
  return error;
}

int zatt_client_set_if(zatt_client* client, const char* key, const char* value,
                       zatt_condition condition, const zatt_reply** reply) {
  zatt_request request = write_if(ZATT_OP_SET, key, condition);
  request.value = zatt_str(value);
  return zatt_client_call(client, &request, reply);
}

int zatt_client_delete_if(zatt_client* client, const char* key, zatt_condition condition,
                          const zatt_reply** reply) {
  const zatt_request request = write_if(ZATT_OP_DELETE, key, condition);
  return zatt_client_call(client, &request, reply);
}

int zatt_client_incr_if(zatt_client* client, const char* key, int64_t by, zatt_condition condition,
                        const zatt_reply** reply) {
  zatt_request request = write_if(ZATT_OP_INCR, key, condition);
  request.by = by;
  return zatt_client_call(client, &request, reply);
}

int zatt_client_count(zatt_client* client, const char* prefix, uint64_t* count) {
  zatt_request request = zatt_request_of(ZATT_OP_COUNT);
  request.prefix = zatt_str(prefix);
  const zatt_reply* reply = nullptr;
  const int error = zatt_client_call(client, &request, &reply);
  if (error == ZATT_OK && reply != nullptr && count != nullptr)
    *count = static_cast<uint64_t>(reply->number);
  return error;
}

int zatt_client_line(zatt_client* client, const char* line, const zatt_reply** reply) {
  zatt_request request = zatt_request_of(ZATT_OP_LINE);
  request.value = zatt_str(line);
  return zatt_client_call(client, &request, reply);
}

}  // extern "C"
