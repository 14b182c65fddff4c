/* SPDX-License-Identifier: AGPL-3.0-or-later
 * The client on a libuv loop that does other things too.
 *   cc uv.c $(pkg-config --cflags --libs zatt-client libuv) -o uv && ./uv 127.0.0.1:5254 */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>
#include <zatt/zatt.h>

struct app {
  zatt_client *client;
  uv_poll_t *polled; /* NULL while there is no descriptor */
  int fd;
  uv_timer_t wake;
  int left;
};

static void look(struct app *app);

static void on_event(uv_poll_t *handle, int status, int events) {
  (void)status, (void)events; /* the client finds out by itself */
  struct app *app = handle->data;
  zatt_client_dispatch(app->client);
  look(app);
}

static void on_wake(uv_timer_t *timer) {
  struct app *app = timer->data;
  zatt_client_dispatch(app->client);
  look(app);
}

static void on_free(uv_handle_t *handle) { free(handle); }

static void forget(struct app *app) {
  if (app->polled == NULL) return;
  uv_poll_stop(app->polled);
  uv_close((uv_handle_t *)app->polled, on_free);
  app->polled = NULL;
  app->fd = -1;
}

/* After every call on the client: what to poll for, and when to wake. */
static void look(struct app *app) {
  const int fd = zatt_client_fd(app->client);
  if (fd != app->fd) {
    forget(app);
    if (fd >= 0) {
      app->polled = malloc(sizeof *app->polled);
      uv_poll_init(app->wake.loop, app->polled, fd);
      app->polled->data = app;
      app->fd = fd;
    }
  }
  if (app->polled != NULL) {
    const int events = zatt_client_events(app->client);
    uv_poll_start(app->polled,
                  (events & ZATT_POLLIN ? UV_READABLE : 0) | (events & ZATT_POLLOUT ? UV_WRITABLE : 0),
                  on_event);
  }
  const int ms = zatt_client_wake_ms(app->client);
  if (ms < 0)
    uv_timer_stop(&app->wake);
  else
    uv_timer_start(&app->wake, on_wake, (uint64_t)ms, 0);
  if (app->left == 0) { /* all is done: nothing keeps the loop alive any more */
    forget(app);
    uv_timer_stop(&app->wake);
    if (!uv_is_closing((uv_handle_t *)&app->wake)) uv_close((uv_handle_t *)&app->wake, NULL);
  }
}

static void on_reply(void *user, const zatt_reply *reply) {
  struct app *app = user;
  --app->left;
  if (reply->error != ZATT_OK)
    fprintf(stderr, "%s\n", reply->message);
  else
    printf("visits: %lld\n", (long long)reply->number);
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  zatt_client_options options = zatt_client_options_of(argc > 1 ? argv[1] : NULL);
  struct app app = {NULL, NULL, -1, {0}, 0};
  if (zatt_client_open(&options, &app.client) != ZATT_OK) return 1;
  uv_timer_init(loop, &app.wake);
  app.wake.data = &app;

  for (int i = 0; i < 3; ++i) {
    zatt_request request = zatt_request_of(ZATT_OP_INCR);
    request.key = zatt_str("visits");
    if (zatt_client_send(app.client, &request, on_reply, &app) == ZATT_OK) ++app.left;
  }
  look(&app);
  uv_run(loop, UV_RUN_DEFAULT);
  zatt_client_close(app.client);
  uv_loop_close(loop);
  return 0;
}
