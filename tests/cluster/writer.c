/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Writes PREFIX0, PREFIX1, ... and says of each what became of it: writer SERVERS PREFIX COUNT */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <zatt/zatt.h>

enum { window = 32 };

static size_t answered;

static void on_reply(void *user, const zatt_reply *reply) {
  const int number = *(int *)user;
  ++answered;
  printf("%d %s\n", number, zatt_error_name(reply->error));
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  const int count = atoi(argv[3]);
  int *const numbers = malloc((size_t)count * sizeof *numbers);
  char why[200];
  zatt_client_options options = zatt_client_options_of(argv[1]);
  options.error = why;
  options.error_size = sizeof why;
  options.timeout_ms = 20000;
  zatt_client *client;
  if (zatt_client_open(&options, &client) != ZATT_OK) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  for (int asked = 0; answered < (size_t)count;) {
    for (; asked < count && zatt_client_pending(client) < window; ++asked) {
      char key[64], value[16];
      snprintf(key, sizeof key, "%s%d", argv[2], asked);
      snprintf(value, sizeof value, "%d", asked);
      zatt_request request = zatt_request_of(ZATT_OP_SET);
      request.key = zatt_str(key);
      request.value = zatt_str(value);
      numbers[asked] = asked;
      if (zatt_client_send(client, &request, on_reply, &numbers[asked]) != ZATT_OK) return 1;
    }
    struct pollfd polled = {zatt_client_fd(client), (short)zatt_client_events(client), 0};
    poll(&polled, 1, zatt_client_wake_ms(client));
    zatt_client_dispatch(client);
  }
  zatt_client_close(client);
  free(numbers);
  return 0;
}
