/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Asking and waiting, in C.
 *   cc blocking.c $(pkg-config --cflags --libs zatt-client) -o blocking && ./blocking 127.0.0.1:5254 */
#include <inttypes.h>
#include <stdio.h>
#include <zatt/zatt.h>

static int print(void *user, const zatt_item *item) {
  ++*(int *)user;
  printf("  %s = %s (rev %" PRIu64 ")\n", item->key.data, item->value.data, item->rev);
  return 0; /* go on */
}

int main(int argc, char **argv) {
  char why[256];
  zatt_client_options options = zatt_client_options_of(argc > 1 ? argv[1] : NULL);
  zatt_client *client;
  options.error = why;
  options.error_size = sizeof why;
  if (zatt_client_open(&options, &client) != ZATT_OK) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }

  uint64_t rev;
  int error = zatt_client_set(client, "key1", "{\"a\": [1, 2]}", &rev);
  if (error != ZATT_OK) {
    /* The kind says what to do: ask again (RETRY), find out (UNKNOWN), or give up. */
    fprintf(stderr, "%s: %s\n", zatt_error_name(error), zatt_client_message(client));
    zatt_client_close(client);
    return zatt_error_kind(error);
  }

  /* Only if nobody has written since. */
  const zatt_reply *reply;
  error = zatt_client_set_if(client, "key1", "\"mine\"", zatt_if_rev(rev), &reply);
  if (error == ZATT_ECONDITION)
    printf("somebody was faster: %s\n", reply->value.data);
  else if (error == ZATT_OK)
    printf("written, rev %" PRIu64 "\n", reply->rev);

  /* Anything else is a request with its fields set: here, the first ten keys, without values. */
  zatt_request request = zatt_request_of(ZATT_OP_SCAN);
  request.keys_only = 1;
  request.limit = 10;
  if (zatt_client_call(client, &request, &reply) == ZATT_OK) printf("%zu keys\n", reply->item_count);

  int items = 0;
  error = zatt_client_scan(client, "key", print, &items);
  printf("%d items, %s\n", items, zatt_error_text(error));
  zatt_client_close(client);
  return zatt_error_kind(error);
}
