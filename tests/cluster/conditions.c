/* SPDX-License-Identifier: AGPL-3.0-or-later
 * What zatt.h says of absent keys and of writes under a condition, asked of a cluster:
 * conditions SERVERS. Prints what is not so. */
#include <stdio.h>
#include <string.h>
#include <zatt/zatt.h>

static int failures;

static void check(int good, const char *what) {
  if (good) return;
  ++failures;
  fprintf(stderr, "not so: %s\n", what);
}

static int holds(const zatt_reply *reply, const char *value) {
  return reply != NULL && reply->value.data != NULL && strcmp(reply->value.data, value) == 0;
}

static void absent_keys(zatt_client *client) {
  const zatt_reply *reply;
  int found = 1;
  int64_t number = 0;
  check(zatt_client_get(client, "none", &reply) == ZATT_OK && !reply->found,
        "get of an absent key");
  check(zatt_client_delete(client, "none", &found) == ZATT_OK && !found, "delete of an absent key");
  check(zatt_client_incr(client, "none", 2, &number) == ZATT_OK && number == 2,
        "incr counts from 0");
  check(zatt_client_delete(client, "none", &found) == ZATT_OK && found,
        "delete of one that is there");
  check(zatt_client_delete_if(client, "none", zatt_if_exists(), &reply) == ZATT_ECONDITION &&
            !reply->found,
        "delete of an absent key, if it exists");
}

static void conditions(zatt_client *client) {
  const zatt_reply *reply;
  uint64_t rev;
  check(zatt_client_set_if(client, "c", "{\"a\": 1}", zatt_if_absent(), &reply) == ZATT_OK,
        "set if absent");
  rev = reply->rev;
  check(zatt_client_set_if(client, "c", "2", zatt_if_absent(), &reply) == ZATT_ECONDITION &&
            reply->found && holds(reply, "{\"a\":1}") && reply->rev == rev,
        "set if absent, and it is there: what is there, and its revision");
  check(zatt_client_set_if(client, "c", "2", zatt_if_rev(reply->rev), &reply) == ZATT_OK &&
            reply->rev > rev,
        "set if its revision is what was said");
  check(zatt_client_set_if(client, "c", "3", zatt_if_rev(rev), NULL) == ZATT_ECONDITION,
        "set if its revision is an old one");
  check(zatt_client_get(client, "c", &reply) == ZATT_OK && holds(reply, "2"),
        "nothing was changed");
  check(zatt_client_set_if(client, "c", "[]", zatt_if_value(reply->value.data), NULL) == ZATT_OK,
        "set if its value is what was read");
  check(zatt_client_incr_if(client, "c", 1, zatt_if_value("2"), &reply) == ZATT_ECONDITION &&
            holds(reply, "[]"),
        "incr if its value is another");
  check(zatt_client_delete_if(client, "c", zatt_if_value("[ ]"), &reply) == ZATT_OK && reply->found,
        "delete if its value is this");
  check(
      zatt_client_incr_if(client, "c", 5, zatt_if_rev(0), &reply) == ZATT_OK && reply->number == 5,
      "incr if its revision is 0: absent");
  check(zatt_client_set(client, "c", "hello", NULL) == ZATT_EINVAL,
        "text without quotes is no value");
  check(strcmp(zatt_client_message(client), "JSON text expected: \"hello\" with its quotes") == 0,
        "and that is said");
  check(zatt_client_delete(client, "c", NULL) == ZATT_OK, "delete");
}

int main(int argc, char **argv) {
  zatt_client_options options = zatt_client_options_of(argc > 1 ? argv[1] : NULL);
  zatt_client *client;
  options.timeout_ms = 20000;
  if (zatt_client_open(&options, &client) != ZATT_OK) return 2;
  absent_keys(client);
  conditions(client);
  zatt_client_close(client);
  return failures != 0;
}
