/* SPDX-License-Identifier: AGPL-3.0-or-later
 * A node inside a program, replicating something of its own: here, a list that only grows.
 *   cc node.c $(pkg-config --cflags --libs zatt) -o node && ./node list.persist 5254
 * One member, to be short: with three in "cluster", and this program run as each of them by its
 * "id", all three hold the same list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zatt/zatt.h>

struct list {
  char *lines[100];
  int count;
};

/* The same commands in the same order on every node, and nothing else decides. */
static void apply(void *user, uint64_t index, uint64_t time_us, zatt_bytes command,
                  zatt_sink *reply) {
  struct list *list = user;
  (void)index, (void)time_us;
  if (list->count < 100) {
    char *line = malloc(command.size + 1);
    memcpy(line, command.data, command.size);
    line[command.size] = '\0';
    list->lines[list->count++] = line;
  }
  char text[32];
  zatt_sink_write(reply, text, (size_t)snprintf(text, sizeof text, "%d lines", list->count));
}

/* On the node's thread, as apply: here the list can be read. */
static void show(void *user, const zatt_reply *reply) {
  struct list *list = user;
  if (reply->error != ZATT_OK) return;
  for (int i = 0; i < list->count; ++i) printf("%d: %s\n", i + 1, list->lines[i]);
}

static void on_reply(void *user, const zatt_reply *reply) {
  if (*(int *)user) return;
  if (reply->error == ZATT_OK)
    printf("replied: %s\n", reply->value.data);
  else
    fprintf(stderr, "%s\n", reply->message);
}

static int propose(zatt_node *node, const char *line, int quiet) {
  zatt_request request = zatt_request_of(ZATT_OP_PROPOSE);
  request.value = zatt_str(line);
  return zatt_node_call(node, &request, on_reply, &quiet);
}

int main(int argc, char **argv) {
  static struct list list;
  char config[200], why[300];
  snprintf(config, sizeof config, "{\"cluster\": {\"0\": [\"127.0.0.1\", %s]}, \"id\": \"0\"}",
           argc > 2 ? argv[2] : "5254");
  zatt_machine machine;
  memset(&machine, 0, sizeof machine);
  machine.size = sizeof machine;
  machine.user = &list;
  machine.apply = apply;
  zatt_node_options options = zatt_node_options_of(config);
  options.storage = argc > 1 ? argv[1] : "list.persist";
  options.machine = &machine;
  options.error = why;
  options.error_size = sizeof why;
  zatt_node *node;
  if (zatt_node_open(&options, &node) != ZATT_OK) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  int error = propose(node, "hello", 1);
  if (error == ZATT_OK) error = propose(node, "world", 0);

  /* Everything that was committed when this is asked has been applied when it is answered. */
  zatt_request barrier = zatt_request_of(ZATT_OP_BARRIER);
  if (error == ZATT_OK) error = zatt_node_call(node, &barrier, show, &list);
  if (error != ZATT_OK) fprintf(stderr, "%s\n", zatt_error_text(error));

  zatt_node_close(node); /* started again it replays its log: the list goes on growing */
  for (int i = 0; i < list.count; ++i) free(list.lines[i]);
  return zatt_error_kind(error);
}
