/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Many requests at once, in a loop of your own around poll(2).
 *   cc poll.c $(pkg-config --cflags --libs zatt-client) -o poll && ./poll 127.0.0.1:5254 */
#include <poll.h>
#include <stdio.h>
#include <zatt/zatt.h>

struct tally {
  int done;
  int unknown;
  int failed;
};

static void on_reply(void *user, const zatt_reply *reply) {
  struct tally *tally = user;
  switch (zatt_error_kind(reply->error)) {
    case ZATT_KIND_OK:
      ++tally->done;
      break;
    case ZATT_KIND_UNKNOWN:
      ++tally->unknown;
      break;
    default:
      ++tally->failed;
      fprintf(stderr, "%s\n", reply->message);
  }
}

int main(int argc, char **argv) {
  zatt_client_options options = zatt_client_options_of(argc > 1 ? argv[1] : NULL);
  zatt_client *client;
  if (zatt_client_open(&options, &client) != ZATT_OK) return 1;

  struct tally tally = {0, 0, 0};
  for (int i = 0; i < 1000; ++i) {
    zatt_request request = zatt_request_of(ZATT_OP_INCR);
    request.key = zatt_str("counter");
    if (zatt_client_send(client, &request, on_reply, &tally) != ZATT_OK) return 1;
  }
  while (zatt_client_pending(client) > 0) {
    struct pollfd polled[1]; /* and your own descriptors behind it */
    polled[0].fd = zatt_client_fd(client); /* -1 for now and then, which poll passes over */
    polled[0].events = (short)zatt_client_events(client);
    poll(polled, 1, zatt_client_wake_ms(client));
    zatt_client_dispatch(client);
  }
  printf("%d done, %d unknown, %d failed\n", tally.done, tally.unknown, tally.failed);
  zatt_client_close(client);
  return tally.done == 1000 ? 0 : 1;
}
