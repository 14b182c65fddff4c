/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * zatt in C: a client of a cluster, and a whole node inside your program. This header is C99, any
 * later C, and C++11 or later; in C++17 zatt.hpp is nicer.
 *
 *   libzattclient   zatt_client_* and what is common    cc app.c $(pkg-config --cflags --libs zatt-client)
 *   libzatt         all of it, with zatt_node_*         cc app.c $(pkg-config --cflags --libs zatt)
 *
 * Threads   A zatt_client is used by one thread at a time. A zatt_node with a thread of its own may
 *           be called from any; one on your loop only from that loop's thread. Different handles
 *           have nothing to do with each other. Handles do not survive fork().
 * Memory    "Borrowed": valid as long as it says. "Given": yours, freed by the function named
 *           beside it. What you pass is copied before a call returns, and may lie in what the last
 *           one lent: zatt_client_set(c, "k2", reply->value.data, NULL).
 * Errors    An int: ZATT_OK is 0, failures are negative, numbers are never reused. What a failure
 *           means for a write is its kind: see zatt_error_kind(). Out of memory aborts.
 * Text      UTF-8. Keys are plain text, values are JSON text ("\"a\"", "1", "{\"b\":[]}").
 * Time      Milliseconds, monotonic.
 * Versions  Structs begin with their size and grow only at the end; handles are opaque.
 *
 * No function installs a signal handler, raises SIGPIPE, prints, or ends the process. Only a failed
 * assertion, which is a bug of ours, aborts it. */
#ifndef ZATT_ZATT_H
#define ZATT_ZATT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ZATT_API __attribute__((visibility("default")))
#else
#define ZATT_API
#endif

#define ZATT_VERSION_MAJOR 0
#define ZATT_VERSION_MINOR 1
#define ZATT_VERSION_PATCH 0

/* Of the library that runs, as "0.1.0". Static. Any thread. */
ZATT_API const char *zatt_version(void);

/* ------------------------------------------------------------------------------------ errors --- */

enum {
  ZATT_OK = 0,

  /* The answer is no. */
  ZATT_ECONDITION = -1, /* a condition did not hold, or incr met no integer: nothing was changed */
  ZATT_ENOTFOUND = -2,  /* a server has said not_found, which none of this version does: it is kept for
                           members and watches. Never for a key: to get or delete one that is not
                           there is ZATT_OK with `found` 0, to incr it counts from 0, and a
                           condition on it is ZATT_ECONDITION */

  /* Nothing happened and nothing will: it may be asked again. */
  ZATT_ENOSERVER = -10,     /* no server could be reached */
  ZATT_ENOLEADER = -11,     /* no server knew a leader */
  ZATT_EUNAVAILABLE = -12,  /* a read was not confirmed or not answered in time */
  ZATT_EOVERLOADED = -13,   /* too much waits already, here or there */
  ZATT_ESHUTTINGDOWN = -14, /* the server is stopping */

  /* Nobody knows: the write may take effect now, later or never. Repeat it only under a condition. */
  ZATT_EUNKNOWN = -20,

  /* Refused, and nothing was changed: it will be refused again. */
  ZATT_EBADREQUEST = -30,
  ZATT_ETOOLARGE = -31,
  ZATT_ESTORAGEFULL = -32,
  ZATT_EUNAUTHORIZED = -33,
  ZATT_ECOMPACTED = -34,
  ZATT_ESESSION = -35,  /* session_expired */
  ZATT_ESTALESEQ = -36, /* stale_seq */
  ZATT_EREFUSED = -39,  /* with a code that this library does not know: see the reply's line */

  /* Of the call itself: nothing was sent. */
  ZATT_EINVAL = -50,    /* an argument breaks a rule */
  ZATT_ECANCELED = -51, /* the handle was closed before the request was sent */
  ZATT_EBUSY = -52,     /* not from within a callback */
  ZATT_ESTOPPED = -53,  /* the node has stopped */

  /* Of a node. */
  ZATT_EADDRESS = -60, /* it cannot listen on its address */
  ZATT_ESTORAGE = -61, /* its storage cannot be used: damaged, locked, another node's, not readable */
  ZATT_EDISK = -62,    /* a write or sync failed while it ran */
  ZATT_EEXPELLED = -63 /* the cluster refuses it */
};

/* What an error means for whoever asked. The numbers are also the exit codes of the zatt command. */
enum {
  ZATT_KIND_OK = 0,
  ZATT_KIND_NO = 1,      /* answered: no */
  ZATT_KIND_USAGE = 2,   /* the call was wrong */
  ZATT_KIND_RETRY = 3,   /* nothing happened: try again */
  ZATT_KIND_UNKNOWN = 4, /* nobody knows */
  ZATT_KIND_REFUSED = 5  /* refused for good */
};
ZATT_API int zatt_error_kind(int error); /* Any thread. */

/* The protocol's word for it ("condition_failed"), or ours ("no_server"). Static. Any thread. */
ZATT_API const char *zatt_error_name(int error);
/* A sentence for a person. Static. Any thread. */
ZATT_API const char *zatt_error_text(int error);

/* --------------------------------------------------------------------- requests and replies --- */

/* Bytes with a length. `data` NULL: not given. */
typedef struct zatt_bytes {
  const char *data;
  size_t size;
} zatt_bytes;

static inline zatt_bytes zatt_str(const char *text) {
  zatt_bytes bytes;
  bytes.data = text;
  bytes.size = text == NULL ? 0 : strlen(text);
  return bytes;
}

enum {
  ZATT_OP_GET = 1,
  ZATT_OP_SET = 2,
  ZATT_OP_DELETE = 3,
  ZATT_OP_INCR = 4,
  ZATT_OP_SCAN = 5, /* one page: see zatt_reply's `more` */
  ZATT_OP_COUNT = 6,
  ZATT_OP_STATUS = 7,
  ZATT_OP_PING = 8,
  ZATT_OP_LINE = 9,     /* one line of the protocol, as it is; sent to whichever server is reached */
  ZATT_OP_PROPOSE = 10, /* nodes with a machine of the host's: one command for it */
  ZATT_OP_BARRIER = 11  /* likewise: all that was committed when this was asked has been applied */
};

/* Conditions of set, delete and incr. */
enum {
  ZATT_IF_NONE = 0,
  ZATT_IF_ABSENT = 1,
  ZATT_IF_EXISTS = 2,
  ZATT_IF_REV = 3,  /* the key's revision is if_rev; 0: absent */
  ZATT_IF_VALUE = 4 /* the key's value is if_value, as JSON text without spaces between tokens */
};

typedef struct zatt_request {
  size_t size;      /* sizeof(zatt_request) */
  int op;           /* ZATT_OP_ */
  int timeout_ms;   /* 1 to 600000; 0: the handle's */
  zatt_bytes key;   /* get, set, delete, incr: required, may be empty */
  zatt_bytes value; /* set: JSON text. line: without its newline. propose: any bytes */
  int condition;    /* ZATT_IF_ */
  uint64_t if_rev;
  zatt_bytes if_value;
  int64_t by;        /* incr */
  zatt_bytes prefix; /* scan, count */
  zatt_bytes after;  /* scan: only keys after this one */
  uint32_t limit;    /* scan: of items; 0: the server's default, 1000; at most 10000 */
  int keys_only;     /* scan */
  int stale;         /* get, scan, count: answered at once by the server asked, perhaps from the past */
} zatt_request;

/* One to fill in: all unset, but for incr's `by`, which is 1. */
static inline zatt_request zatt_request_of(int op) {
  zatt_request request;
  memset(&request, 0, sizeof request);
  request.size = sizeof request;
  request.op = op;
  request.by = 1;
  return request;
}

/* A condition by itself, as zatt_client_set_if and its like take it: made by the functions below,
 * passed by value. It has these fields for good. */
typedef struct zatt_condition {
  int kind; /* ZATT_IF_ */
  uint64_t rev;
  zatt_bytes value;
} zatt_condition;

static inline zatt_condition zatt_condition_of(int kind) {
  zatt_condition condition;
  memset(&condition, 0, sizeof condition);
  condition.kind = kind;
  return condition;
}
static inline zatt_condition zatt_if_absent(void) { return zatt_condition_of(ZATT_IF_ABSENT); }
static inline zatt_condition zatt_if_exists(void) { return zatt_condition_of(ZATT_IF_EXISTS); }
/* 0: absent. */
static inline zatt_condition zatt_if_rev(uint64_t rev) {
  zatt_condition condition = zatt_condition_of(ZATT_IF_REV);
  condition.rev = rev;
  return condition;
}
/* JSON text that ends at its NUL, borrowed until the call that takes the condition returns. */
static inline zatt_condition zatt_if_value(const char *value) {
  zatt_condition condition = zatt_condition_of(ZATT_IF_VALUE);
  condition.value = zatt_str(value);
  return condition;
}

typedef struct zatt_item {
  zatt_bytes key;   /* plain text, which may hold NULs; a NUL follows it */
  zatt_bytes value; /* JSON text, a NUL follows it; data NULL with keys_only */
  uint64_t rev;
} zatt_item;

typedef struct zatt_reply {
  size_t size;         /* of the library's struct */
  int error;           /* ZATT_OK, or why not */
  const char *message; /* a sentence for a person; "" where all is well */
  int found;           /* get, delete; with ZATT_ECONDITION whether the key exists */
  zatt_bytes value;    /* get, and with ZATT_ECONDITION the present one: JSON text, a NUL follows it.
                          propose: what the machine replied */
  uint64_t rev;        /* of the write, or of the value; propose: its log index */
  int64_t number;      /* incr: the new value. count: how many */
  uint64_t at;         /* scan, count: the revision at which it was read */
  int more;            /* scan: there are more after the last item */
  const zatt_item *items;
  size_t item_count;
  zatt_bytes line; /* the server's line without its newline, a NUL follows it; data NULL where none came */
} zatt_reply;

/* `reply` is borrowed for the call. */
typedef void (*zatt_on_reply)(void *user, const zatt_reply *reply);

/* ---------------------------------------------------------------------------------- a client --- */

/* A client of a cluster, over one connection at a time. It learns the members from the servers it
 * is given, stays with the leader where it can reach it, and goes on with another server by itself.
 * It asks again only what certainly did not happen, and reads; a write whose connection ends before
 * its answer is ZATT_EUNKNOWN, and never repeated. */
typedef struct zatt_client zatt_client;

typedef struct zatt_client_options {
  size_t size;            /* sizeof(zatt_client_options) */
  const char *servers;    /* "host:port,host:port", "[::1]:5254"; NULL: "127.0.0.1:5254" */
  int timeout_ms;         /* of a request that names none; 1 to 600000; 0: 5000 */
  int connect_timeout_ms; /* no server answered for so long: what waits is ZATT_ENOSERVER; 0: only
                             each request's own timeout counts */
  char *error;            /* NULL, or where to put a sentence on why open failed */
  size_t error_size;      /* of that buffer; the sentence is cut to it and ends with a NUL */
  int stay; /* nonzero: only the servers given are asked, and no leader is looked for */
} zatt_client_options;

static inline zatt_client_options zatt_client_options_of(const char *servers) {
  zatt_client_options options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.servers = servers;
  return options;
}

/* Looks up the names (this may block; nothing later does), connects to nobody yet. *out is given:
 * zatt_client_close. On failure *out is NULL.
 * ZATT_EINVAL: `servers` or a number breaks a rule. ZATT_ENOSERVER: no name could be looked up. */
ZATT_API int zatt_client_open(const zatt_client_options *options, zatt_client **out);

/* Requests that were not answered get their callback now: ZATT_ECANCELED where they were never sent
 * or only read, else ZATT_EUNKNOWN. From within a callback it takes effect when that returns. NULL
 * is fine. */
ZATT_API void zatt_client_close(zatt_client *client);

/* --- Blocking. Each waits for the answer, at most its timeout, and meanwhile runs the callbacks of
 * --- requests sent before. ZATT_EBUSY from within a callback. */

/* Any request. *reply (which may be NULL) is borrowed until the next call on this client, and set
 * whatever the outcome. Returns the reply's error. */
ZATT_API int zatt_client_call(zatt_client *client, const zatt_request *request,
                              const zatt_reply **reply);

/* The same, short: keys and texts end at their NUL; the pointers after them may be NULL. A value is
 * JSON text, of a string with its quotes: "\"hello\"". */
ZATT_API int zatt_client_get(zatt_client *client, const char *key, const zatt_reply **reply);
ZATT_API int zatt_client_set(zatt_client *client, const char *key, const char *value,
                             uint64_t *rev);
ZATT_API int zatt_client_delete(zatt_client *client, const char *key, int *found);
ZATT_API int zatt_client_incr(zatt_client *client, const char *key, int64_t by, int64_t *number);
ZATT_API int zatt_client_count(zatt_client *client, const char *prefix, uint64_t *count);
/* Only if nobody was faster: zatt_client_set_if(c, "k", "2", zatt_if_rev(7), &reply). ZATT_ECONDITION:
 * nothing was changed, and the reply has what is there instead (found, value, rev). ZATT_OK: it has
 * the write's rev, delete's `found`, incr's `number`. */
ZATT_API int zatt_client_set_if(zatt_client *client, const char *key, const char *value,
                                zatt_condition condition, const zatt_reply **reply);
ZATT_API int zatt_client_delete_if(zatt_client *client, const char *key, zatt_condition condition,
                                   const zatt_reply **reply);
ZATT_API int zatt_client_incr_if(zatt_client *client, const char *key, int64_t by,
                                 zatt_condition condition, const zatt_reply **reply);
/* Every item whose key begins with `prefix`, in byte order, page by page; each page is linearizable
 * by itself. `each` gets items borrowed for the call and ends the scan by returning nonzero, which
 * is then returned if positive. It must not call the client. */
ZATT_API int zatt_client_scan(zatt_client *client, const char *prefix,
                              int (*each)(void *user, const zatt_item *item), void *user);
/* One line of the protocol in, one line out (reply->line). */
ZATT_API int zatt_client_line(zatt_client *client, const char *line, const zatt_reply **reply);

/* A sentence on the last blocking call: why it failed, or "". Borrowed until the next call. */
ZATT_API const char *zatt_client_message(const zatt_client *client);
/* Who is connected to now, as "host:port", or "". Borrowed until the next call. */
ZATT_API const char *zatt_client_server(const zatt_client *client);

/* --- Asynchronous: for any event loop. After every call on the client ask again what to poll for
 * --- and when to wake, and call zatt_client_dispatch when one of them happens:
 *
 *       struct pollfd p = {zatt_client_fd(c), (short)zatt_client_events(c), 0};
 *       poll(&p, 1, zatt_client_wake_ms(c));      (a descriptor of -1 is skipped by poll)
 *       zatt_client_dispatch(c);
 */

/* Asks; never blocks. `on_reply` is called exactly once, from a later zatt_client_dispatch, blocking
 * call or zatt_client_close, unless this returns an error: then never. Requests take effect in the
 * order sent. Any number may be under way; a later one never waits for an earlier one's answer.
 * ZATT_EINVAL: the request breaks a rule. ZATT_EOVERLOADED: over 64 MiB wait to be sent. */
ZATT_API int zatt_client_send(zatt_client *client, const zatt_request *request,
                              zatt_on_reply on_reply, void *user);

/* The socket to poll, or -1 while there is none (nothing to do, or waiting to try again). Never
 * read, write or close it. It may change in every call; one that is given up stays open until the
 * call after, so that a number never comes back as another socket unseen. */
ZATT_API int zatt_client_fd(const zatt_client *client);
/* What to poll for: ZATT_POLLIN, ZATT_POLLOUT, both; poll(2)'s own values on every system. */
ZATT_API int zatt_client_events(const zatt_client *client);
/* In how many milliseconds dispatch must be called at the latest; -1: no need; as poll(2) takes it. */
ZATT_API int zatt_client_wake_ms(const zatt_client *client);
/* Does what can be done without waiting, and calls callbacks. To call it for nothing is fine.
 * ZATT_EBUSY from within a callback. */
ZATT_API int zatt_client_dispatch(zatt_client *client);
/* How many requests were not answered yet. */
ZATT_API size_t zatt_client_pending(const zatt_client *client);

enum { ZATT_POLLIN = 1, ZATT_POLLOUT = 4 };

/* ------------------------------------------------------------------------------------ a node --- */

/* What collects bytes that a callback hands out. */
typedef struct zatt_sink zatt_sink;
ZATT_API void zatt_sink_write(zatt_sink *sink, const void *data, size_t size); /* In the callback. */

/* A state machine of your own, instead of the dictionary: any object can be replicated. All calls
 * come on the node's thread, one at a time, between zatt_node_open and the end of zatt_node_close
 * (some from within these two).
 *
 * `apply` must be total and deterministic: the same commands give the same state and replies on
 * every node; no clock, no chance, nothing local decides. The state starts empty at every open: the
 * log is replayed. `index` ascends, with gaps. `time_us` is the time of day, in microseconds since
 * 1970, by the clock of the node that led when the command was proposed: every node is given the
 * same, and it never goes back. Any bytes may come, also from a node of the cluster that has
 * another machine. A reply has at most 16 MiB.
 * The others are a cursor over the whole state, which stays as of begin_snapshot while apply goes
 * on in between: they are asked for when a log is compacted, which this version does not do yet. */
typedef struct zatt_machine {
  size_t size; /* sizeof(zatt_machine) */
  void *user;
  void (*apply)(void *user, uint64_t index, uint64_t time_us, zatt_bytes command, zatt_sink *reply);

  void (*begin_snapshot)(void *user);
  /* Writes at most max_bytes, but something, to `out`; returns whether more follows. */
  int (*next_slice)(void *user, size_t max_bytes, zatt_sink *out);
  void (*end_snapshot)(void *user); /* complete, or given up */
  void (*begin_restore)(void *user); /* drops the state */
  int (*restore_slice)(void *user, zatt_bytes slice); /* in the order they came out; 0, or damaged */
  int (*end_restore)(void *user);                     /* 0: the state is whole */
} zatt_machine;

enum { ZATT_ROLE_FOLLOWER = 0, ZATT_ROLE_CANDIDATE = 1, ZATT_ROLE_LEADER = 2, ZATT_ROLE_LEARNER = 3 };

typedef struct zatt_state {
  size_t size; /* sizeof(zatt_state) */
  int role;    /* ZATT_ROLE_ */
  uint64_t term;
  uint64_t commit_index;
  uint64_t last_applied;
  char leader[65]; /* its id, or "" where none is known */
} zatt_state;

enum { ZATT_LOG_ERROR = 0, ZATT_LOG_WARNING = 1, ZATT_LOG_INFO = 2, ZATT_LOG_DEBUG = 3 };

typedef struct zatt_node zatt_node;

struct uv_loop_s; /* libuv's uv_loop_t */

typedef struct zatt_node_options {
  size_t size;             /* sizeof(zatt_node_options) */
  const char *config;      /* JSON text as in zattd's file, or NULL */
  const char *config_file; /* the file itself, or NULL; not both. Neither: a node alone, as zattd */
  const char *id;          /* these two win over the configuration where they are not NULL */
  const char *storage;
  struct uv_loop_s *loop;      /* your loop; NULL: a thread of the node's own */
  const zatt_machine *machine; /* NULL: the dictionary. Copied; its `user` is yours */
  int timeout_ms;              /* of a request that names none; 1 to 600000; 0: 5000 */

  /* Called on the node's thread (on_log also from within zatt_node_open); any may be NULL. */
  void *user;
  void (*on_log)(void *user, int level, const char *line);
  void (*on_state)(void *user, const zatt_state *state); /* its role, term or leader has changed */
  /* It has stopped, and is called no more: ZATT_OK where it was asked to, else ZATT_EDISK,
   * ZATT_ESTORAGE or ZATT_EEXPELLED. Once, unless zatt_node_open failed. */
  void (*on_stop)(void *user, int error);

  char *error;       /* NULL, or where to put a sentence on why open failed */
  size_t error_size; /* of that buffer; the sentence is cut to it and ends with a NUL */
} zatt_node_options;

static inline zatt_node_options zatt_node_options_of(const char *config) {
  zatt_node_options options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.config = config;
  return options;
}

/* Reads the storage (which blocks: a long log takes a while), listens, serves. *out is given:
 * zatt_node_close. On failure *out is NULL and nothing is left running.
 * ZATT_EINVAL: the configuration. ZATT_EADDRESS, ZATT_ESTORAGE. ZATT_EOVERLOADED: no descriptor,
 * thread or memory is left (but for what libuv cannot do without: then it aborts). */
ZATT_API int zatt_node_open(const zatt_node_options *options, zatt_node **out);

/* Asks this node, without a socket, as a client of its own would: any ZATT_OP_, also when it does
 * not lead. Never blocks. `on_reply` is called exactly once, on the node's thread, unless this
 * returns an error: then never. Requests take effect, and are answered, in the order sent. With a
 * machine of your own the dictionary's operations get ZATT_EBADREQUEST; without one, propose and
 * barrier do. What propose replies was said by the leader's machine; this node's own may be behind
 * by then, and has caught up when a barrier sent later is answered.
 * ZATT_ESTOPPED, ZATT_EINVAL, ZATT_EOVERLOADED: over 64 MiB wait. */
ZATT_API int zatt_node_send(zatt_node *node, const zatt_request *request, zatt_on_reply on_reply,
                            void *user);
/* The same, and waits until on_reply (which may be NULL) has returned. Returns the reply's error.
 * ZATT_EBUSY on the node's own thread, and for a node on your loop. */
ZATT_API int zatt_node_call(zatt_node *node, const zatt_request *request, zatt_on_reply on_reply,
                            void *user);

/* Fills in *state, as of the last turn of the node's loop, up to state->size. ZATT_ESTOPPED: also
 * filled in, as of the end. */
ZATT_API int zatt_node_state(const zatt_node *node, zatt_state *state);

/* Begins to stop: what is under way is finished for at most 5 s, a leader hands over its leadership
 * first; then on_stop. Called again: at once. From any thread where the node has its own. Requests
 * that are not answered by then get their callback before on_stop: ZATT_ESTOPPED where they were
 * never sent or only read, else ZATT_EUNKNOWN; so also when it stops by itself. */
ZATT_API void zatt_node_stop(zatt_node *node);

/* Ends it and frees it, from any state. With a thread of its own: zatt_node_stop, then waits for
 * on_stop, and for the look-up of a peer's name where one is under way. On your loop: at once,
 * without on_stop, unless it had stopped; the loop must turn once more before it is closed (and
 * until that look-up ends). Requests that were not answered get their callback first, as
 * zatt_client_close says. ZATT_EBUSY (and nothing is done) from within its callbacks: call
 * zatt_node_stop there. NULL is fine. */
ZATT_API int zatt_node_close(zatt_node *node);

#ifdef __cplusplus
}
#endif

#endif
