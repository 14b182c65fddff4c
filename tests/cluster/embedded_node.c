/* SPDX-License-Identifier: AGPL-3.0-or-later
 * A program with a node inside that behaves as zattd does, for the tests of zattd to be run with:
 *
 *   embedded_node [--loop] [-c FILE] [--id ID] [-s DIR]
 *
 * --loop: on a libuv loop of its own instead of the node's thread. Signals and the log are this
 * program's affair, as they are any host's. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <zatt/zatt.h>

static int stop_error = ZATT_OK;
static zatt_node *node;
static char name[65] = "0";

/* As zattd ends. */
static int exit_code(int error) {
  switch (error) {
    case ZATT_OK:
      return 0;
    case ZATT_EADDRESS:
      return 3;
    case ZATT_ESTORAGE:
      return 4;
    case ZATT_EDISK:
      return 5;
    case ZATT_EEXPELLED:
      return 6;
    default:
      return 2;
  }
}

static void on_log(void *user, int level, const char *line) {
  (void)user;
  static const char *const names[] = {"error: ", "", "", "debug: "};
  fprintf(stderr, "[%s] %s%s\n", name, names[level], line);
}

static int open_node(int argc, char **argv, uv_loop_t *loop,
                     void (*on_stop)(void *user, int error)) {
  static char why[400];
  zatt_node_options options = zatt_node_options_of(NULL);
  int error;
  for (int i = 1; i + 1 < argc; ++i) {
    if (strcmp(argv[i], "-c") == 0) options.config_file = argv[i + 1];
    if (strcmp(argv[i], "--id") == 0) options.id = argv[i + 1];
    if (strcmp(argv[i], "-s") == 0) options.storage = argv[i + 1];
  }
  options.loop = loop;
  if (options.id != NULL) snprintf(name, sizeof name, "%s", options.id);
  options.on_log = on_log;
  options.on_stop = on_stop;
  options.error = why;
  options.error_size = sizeof why;
  error = zatt_node_open(&options, &node);
  if (error != ZATT_OK) fprintf(stderr, "embedded_node: %s\n", why);
  return error;
}

/* ------------------------------------------------------------ with a thread of the node's own ---
 */

static void on_stop_of_thread(void *user, int error) {
  (void)user;
  stop_error = error;
  kill(getpid(), SIGUSR1);
}

static int run_with_thread(int argc, char **argv) {
  sigset_t awaited;
  int number = 0;
  int error;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGUSR1);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  error = open_node(argc, argv, NULL, on_stop_of_thread);
  if (error != ZATT_OK) return exit_code(error);
  while (number != SIGUSR1) {
    sigwait(&awaited, &number);
    if (number != SIGUSR1) zatt_node_stop(node);
  }
  zatt_node_close(node);
  return exit_code(stop_error);
}

/* -------------------------------------------------------------------------- on a loop of ours ---
 */

static uv_signal_t signals[2];

static void on_signal(uv_signal_t *handle, int number) {
  (void)handle;
  (void)number;
  zatt_node_stop(node);
}

static void on_stop_of_loop(void *user, int error) {
  (void)user;
  stop_error = error;
  for (int i = 0; i < 2; ++i) uv_close((uv_handle_t *)&signals[i], NULL);
}

static int run_on_loop(int argc, char **argv) {
  static const int numbers[] = {SIGTERM, SIGINT};
  uv_loop_t loop;
  int error;
  uv_loop_init(&loop);
  error = open_node(argc, argv, &loop, on_stop_of_loop);
  if (error != ZATT_OK) return exit_code(error);
  for (int i = 0; i < 2; ++i) {
    uv_signal_init(&loop, &signals[i]);
    uv_signal_start(&signals[i], on_signal, numbers[i]);
  }
  uv_run(&loop, UV_RUN_DEFAULT); /* until nothing is left: the node has stopped */
  zatt_node_close(node);
  return uv_loop_close(&loop) == 0 ? exit_code(stop_error) : 1;
}

int main(int argc, char **argv) {
  const int on_loop = argc > 1 && strcmp(argv[1], "--loop") == 0;
  return on_loop ? run_on_loop(argc, argv) : run_with_thread(argc, argv);
}
