// SPDX-License-Identifier: AGPL-3.0-or-later
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/capi/clients.h"
#include "tests/capi/fake_server.h"
#include "tests/capi/footprint.h"
#include "zatt/zatt.h"

using namespace zatt::capi::test;

namespace {

// A dictionary of one key, enough to talk to.
void serve(Peer& peer, int /*number*/) {
  std::string line;
  while (peer.line(line))
    if (!peer.say(line.find("status") != line.npos
                      ? FakeServer::status
                      : "{\"ok\":true,\"found\":true,\"value\":7,\"rev\":3}\n"))
      return;
}

double seconds_of(const std::function<void()>& what) {
  const auto begin = std::chrono::steady_clock::now();
  what();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// One turn of a host's loop. Answers whether something was there.
void turn(zatt_client* client) {
  pollfd polled = {zatt_client_fd(client), static_cast<short>(zatt_client_events(client)), 0};
  poll(&polled, 1, zatt_client_wake_ms(client));
  REQUIRE(zatt_client_dispatch(client) == ZATT_OK);
}

struct Note {
  std::vector<int> errors;
  static void take(void* user, const zatt_reply* reply) {
    static_cast<Note*>(user)->errors.push_back(reply->error);
  }
};

zatt_request get(const char* key) {
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  request.key = zatt_str(key);
  return request;
}
zatt_request set(const char* key) {
  zatt_request request = zatt_request_of(ZATT_OP_SET);
  request.key = zatt_str(key);
  request.value = zatt_str("1");
  return request;
}

}  // namespace

TEST_CASE("zatt_client: opening says what is wrong") {
  char why[100] = "";
  zatt_client* client = nullptr;
  zatt_client_options options = zatt_client_options_of("nonsense:");
  options.error = why;
  options.error_size = sizeof why;
  CHECK(zatt_client_open(&options, &client) == ZATT_EINVAL);
  CHECK(client == nullptr);
  CHECK(std::string(why) == "\"nonsense:\" is not a server: host:port expected, as 127.0.0.1:5254");
  options.servers = "no-such-name.invalid:1";
  CHECK(zatt_client_open(&options, &client) == ZATT_ENOSERVER);
  CHECK(std::string(why).find("cannot look up \"no-such-name.invalid\"") == 0);
  options.servers = "127.0.0.1:1";
  options.timeout_ms = 600'001;
  CHECK(zatt_client_open(&options, &client) == ZATT_EINVAL);
  options.timeout_ms = 0;
  options.error_size = 10;
  options.servers = "";
  CHECK(zatt_client_open(&options, &client) == ZATT_EINVAL);
  CHECK(std::strlen(why) == 9);
  CHECK(zatt_client_open(nullptr, &client) == ZATT_EINVAL);
  CHECK(zatt_client_open(&options, nullptr) == ZATT_EINVAL);
  zatt_client_close(nullptr);
}

TEST_CASE("zatt_client: structs of older and newer headers") {
  FakeServer server(serve);
  struct Newer {
    zatt_client_options options;
    long more;
  } newer = {zatt_client_options_of(nullptr), 0};
  const std::string address = server.address();
  newer.options.servers = address.c_str();
  newer.options.size = sizeof newer;
  zatt_client* client = nullptr;
  CHECK(zatt_client_open(&newer.options, &client) == ZATT_OK);
  zatt_client_close(client);
  newer.more = 1;  // a wish that this library does not know
  CHECK(zatt_client_open(&newer.options, &client) == ZATT_EINVAL);

  const Client own = client_of(server.address());
  zatt_request older = get("k");
  older.size = offsetof(zatt_request, prefix);
  std::memset(reinterpret_cast<char*>(&older) + older.size, 0xff, sizeof older - older.size);
  const zatt_reply* reply = nullptr;
  CHECK(zatt_client_call(own.get(), &older, &reply) == ZATT_OK);
  older.size = 3;
  CHECK(zatt_client_call(own.get(), &older, &reply) == ZATT_EINVAL);
}

TEST_CASE("zatt_client: what breaks a rule is refused before it is sent") {
  const Client client = client_of("127.0.0.1:1");
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  CHECK(zatt_client_call(client.get(), &request, nullptr) == ZATT_EINVAL);
  CHECK(std::string(zatt_client_message(client.get())) == "the key is missing");
  request = set("k");
  request.value = zatt_str("{'a':1}");
  CHECK(zatt_client_call(client.get(), &request, nullptr) == ZATT_EINVAL);
  CHECK(std::string(zatt_client_message(client.get())).find("value is not JSON: byte 2") == 0);
  for (const int op : {0, 77, int{ZATT_OP_PROPOSE}, int{ZATT_OP_BARRIER}}) {
    request = set("k");
    request.op = op;
    CHECK(zatt_client_call(client.get(), &request, nullptr) == ZATT_EINVAL);
  }
  request = set("k");
  request.timeout_ms = -1;
  CHECK(zatt_client_call(client.get(), &request, nullptr) == ZATT_EINVAL);
  request = get("k");
  request.condition = ZATT_IF_ABSENT;
  CHECK(zatt_client_call(client.get(), &request, nullptr) == ZATT_EINVAL);
  CHECK(zatt_client_send(client.get(), &request, Note::take, nullptr) == ZATT_EINVAL);
  request = get("k");
  CHECK(zatt_client_send(client.get(), &request, nullptr, nullptr) == ZATT_EINVAL);
  CHECK(zatt_client_pending(client.get()) == 0);
}

TEST_CASE("zatt_client: a blocking call") {
  FakeServer server(serve);
  const Client client = client_of(server.address(), 5'000);
  const zatt_reply* reply = nullptr;
  CHECK(zatt_client_get(client.get(), "k", &reply) == ZATT_OK);
  REQUIRE(reply != nullptr);
  CHECK(reply->found == 1);
  CHECK(std::string(reply->value.data) == "7");
  CHECK(reply->rev == 3);
  CHECK(std::string(reply->line.data) == R"({"ok":true,"found":true,"value":7,"rev":3})");
  CHECK(std::string(zatt_client_server(client.get())) == server.address());
  CHECK(std::string(zatt_client_message(client.get())).empty());
}

TEST_CASE("zatt_client: no server is said by the deadline") {
  const Client client = client_of("127.0.0.1:1", 250);
  const double took = seconds_of(
      [&] { CHECK(zatt_client_set(client.get(), "k", "1", nullptr) == ZATT_ENOSERVER); });
  CHECK(took >= 0.24);
  CHECK(took < 5);
  CHECK(std::string(zatt_client_message(client.get())) ==
        "no server answered: 127.0.0.1:1: Connection refused");
}

TEST_CASE("zatt_client: hostile servers end in an error within the timeout") {
  struct Row {
    const char* why;
    std::function<void(Peer& peer, int number)> serve;
    int get;
    int set;
  };
  const auto greeted = [](const std::function<void(Peer&)>& then) {
    return [then](Peer& peer, int) {
      std::string line;
      if (!peer.line(line) || !peer.say(FakeServer::status) || !peer.line(line)) return;
      then(peer);
    };
  };
  const std::string endless(1 << 20, 'x');
  const Row rows[] = {
      {"says nothing", [](Peer& peer, int) { peer.hang(); }, ZATT_ENOSERVER, ZATT_ENOSERVER},
      {"closes at once", [](Peer&, int) {}, ZATT_ENOSERVER, ZATT_ENOSERVER},
      {"speaks another protocol",
       [](Peer& peer, int) {
         peer.say("SSH-2.0-OpenSSH_9.2\r\n");
         peer.hang();
       },
       ZATT_ENOSERVER, ZATT_ENOSERVER},
      {"never stops",
       [&endless](Peer& peer, int) {
         while (peer.say(endless)) {
         }
       },
       ZATT_ENOSERVER, ZATT_ENOSERVER},
      {"drips",
       [](Peer& peer, int) {
         std::string line;
         if (peer.line(line)) peer.say("{\"ok\":true,\"no");
         peer.hang();
       },
       ZATT_ENOSERVER, ZATT_ENOSERVER},
      {"greets and hangs", greeted([](Peer& peer) { peer.hang(); }), ZATT_EUNAVAILABLE,
       ZATT_EUNKNOWN},
      {"greets and closes", greeted([](Peer&) {}), ZATT_EUNAVAILABLE, ZATT_EUNKNOWN},
      {"greets and cuts its answer off", greeted([](Peer& peer) { peer.say("{\"ok\":tr"); }),
       ZATT_EUNAVAILABLE, ZATT_EUNKNOWN},
      {"greets and talks nonsense", greeted([](Peer& peer) {
         peer.say("{\"ok\":maybe}\n");
         peer.hang();
       }),
       ZATT_EUNAVAILABLE, ZATT_EUNKNOWN},
      {"greets and never stops", greeted([&endless](Peer& peer) {
         while (peer.say(endless)) {
         }
       }),
       ZATT_EUNAVAILABLE, ZATT_EUNKNOWN},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    FakeServer server(row.serve);
    const Client client = client_of(server.address(), 300);
    const double took = seconds_of([&] {
      CHECK(zatt_client_get(client.get(), "k", nullptr) == row.get);
      CHECK(zatt_client_set(client.get(), "k", "1", nullptr) == row.set);
    });
    CHECK(std::string(zatt_client_message(client.get())) != "");
    CHECK(took < 5);
  }
}

TEST_CASE("zatt_client: it goes on by itself when its server comes back") {
  FakeServer server([](Peer& peer, int number) {
    std::string line;
    if (number == 0) {  // answers once, then dies with the next request unanswered
      peer.line(line) && peer.say(FakeServer::status) && peer.line(line) &&
          peer.say("{\"ok\":true,\"rev\":1}\n") && peer.line(line);
      return;
    }
    serve(peer, number);
  });
  const Client client = client_of(server.address(), 5'000);
  CHECK(zatt_client_set(client.get(), "k", "1", nullptr) == ZATT_OK);
  CHECK(zatt_client_set(client.get(), "k", "2", nullptr) == ZATT_EUNKNOWN);
  CHECK(zatt_client_set(client.get(), "k", "3", nullptr) == ZATT_OK);
  CHECK(server.connections() == 2);
}

TEST_CASE("zatt_client: an end that came while nobody asked costs nothing") {
  FakeServer server([](Peer& peer, int number) {
    std::string line;
    if (number > 0) return serve(peer, number);
    peer.line(line) && peer.say(FakeServer::status) && peer.line(line) &&
        peer.say("{\"ok\":true,\"rev\":1}\n");
  });
  const Client client = client_of(server.address(), 5'000);
  CHECK(zatt_client_set(client.get(), "k", "1", nullptr) == ZATT_OK);
  pollfd polled = {zatt_client_fd(client.get()), POLLIN, 0};
  // The end has come, if it was not even seen already.
  REQUIRE((polled.fd == -1 || poll(&polled, 1, 5'000) == 1));
  CHECK(zatt_client_set(client.get(), "k", "2", nullptr) == ZATT_OK);
}

TEST_CASE("zatt_client: asynchronous, from a loop of the host's") {
  FakeServer server(serve);
  const Client client = client_of(server.address(), 5'000);
  CHECK(zatt_client_fd(client.get()) == -1);
  CHECK(zatt_client_wake_ms(client.get()) == -1);
  Note note;
  const zatt_request request = get("k");
  for (int i = 0; i < 1'000; ++i)
    REQUIRE(zatt_client_send(client.get(), &request, Note::take, &note) == ZATT_OK);
  CHECK(note.errors.empty());
  CHECK(zatt_client_pending(client.get()) == 1'000);
  CHECK(zatt_client_wake_ms(client.get()) == 0);
  while (zatt_client_pending(client.get()) > 0) turn(client.get());
  CHECK(note.errors == std::vector<int>(1'000, ZATT_OK));
  CHECK(zatt_client_fd(client.get()) >= 0);
  CHECK(zatt_client_events(client.get()) == ZATT_POLLIN);
  CHECK(zatt_client_wake_ms(client.get()) == -1);
}

TEST_CASE("zatt_client: a descriptor's number never comes back unseen") {
  FakeServer server([](Peer& peer, int) {
    std::string line;
    peer.line(line) && peer.say(FakeServer::status);  // and ends: for ever reconnecting
  });
  const Client client = client_of(server.address(), 400);
  Note note;
  const zatt_request request = get("k");
  REQUIRE(zatt_client_send(client.get(), &request, Note::take, &note) == ZATT_OK);
  int seen = -1;
  int changes = 0;
  while (zatt_client_pending(client.get()) > 0) {
    const std::size_t before = open_files();
    turn(client.get());
    const int fd = zatt_client_fd(client.get());
    if (fd != seen && seen >= 0) {
      ++changes;
      CHECK(fcntl(seen, F_GETFD) >= 0);  // given up, but its number is still taken
    }
    CHECK(open_files() <= before + 2);
    seen = fd;
  }
  CHECK(changes >= 2);
  REQUIRE(note.errors.size() == 1);
  CHECK(zatt_error_kind(note.errors[0]) == ZATT_KIND_RETRY);
}

TEST_CASE("zatt_client: from within a callback") {
  FakeServer server(serve);
  struct Host {
    zatt_client* client;
    int left = 3;
    int busy = 0;
    static void take(void* user, const zatt_reply* reply) {
      Host& host = *static_cast<Host*>(user);
      CHECK(reply->error == ZATT_OK);
      host.busy = zatt_client_dispatch(host.client);
      CHECK(zatt_client_get(host.client, "k", nullptr) == ZATT_EBUSY);
      const zatt_request request = get("k");
      if (--host.left > 0) CHECK(zatt_client_send(host.client, &request, take, user) == ZATT_OK);
    }
  };
  const Client client = client_of(server.address(), 5'000);
  Host host{client.get()};
  const zatt_request request = get("k");
  CHECK(zatt_client_send(client.get(), &request, Host::take, &host) == ZATT_OK);
  while (zatt_client_pending(client.get()) > 0) turn(client.get());
  CHECK(host.left == 0);
  CHECK(host.busy == ZATT_EBUSY);
}

TEST_CASE("zatt_client: closed from within a callback, what waits is told") {
  FakeServer server([](Peer& peer, int) {
    std::string line;
    if (peer.line(line) && peer.say(FakeServer::status) && peer.line(line))
      peer.say("{\"ok\":true,\"rev\":1}\n");
    peer.hang();
  });
  Note note;
  struct Host {
    zatt_client* client;
    static void take(void* user, const zatt_reply* reply) {
      CHECK(reply->error == ZATT_OK);
      zatt_client_close(static_cast<Host*>(user)->client);
    }
  };
  zatt_client* const client = client_of(server.address(), 5'000).release();
  Host host{client};
  const zatt_request write = set("k");
  const zatt_request read = get("k");
  CHECK(zatt_client_send(client, &write, Host::take, &host) == ZATT_OK);
  CHECK(zatt_client_send(client, &write, Note::take, &note) == ZATT_OK);
  CHECK(zatt_client_send(client, &read, Note::take, &note) == ZATT_OK);
  while (note.errors.empty()) {
    pollfd polled = {zatt_client_fd(client), static_cast<short>(zatt_client_events(client)), 0};
    poll(&polled, 1, zatt_client_wake_ms(client));
    zatt_client_dispatch(client);
  }
  CHECK(note.errors == std::vector<int>{ZATT_EUNKNOWN, ZATT_ECANCELED});
}

TEST_CASE("zatt_client: a thousand opened, used and closed leave nothing behind") {
  FakeServer server(serve);
  signal(SIGPIPE, SIG_DFL);
  const std::size_t before = open_files();
  for (int i = 0; i < 1'000; ++i) {
    Note note;  // outlives the client, whose closing answers what waits
    const Client client = client_of(server.address(), 5'000);
    if (i % 4 == 0) REQUIRE(zatt_client_get(client.get(), "k", nullptr) == ZATT_OK);
    const zatt_request request = set("k");
    if (i % 4 == 1) REQUIRE(zatt_client_send(client.get(), &request, Note::take, &note) == ZATT_OK);
    if (i % 8 == 1) REQUIRE(zatt_client_dispatch(client.get()) == ZATT_OK);
  }
  CHECK(open_files() <= before + 1);
}

TEST_CASE("zatt_client: errors have a kind, a name and a sentence each") {
  for (
      const int error :
      {ZATT_OK,           ZATT_ECONDITION,   ZATT_ENOTFOUND,     ZATT_ENOSERVER,  ZATT_ENOLEADER,
       ZATT_EUNAVAILABLE, ZATT_EOVERLOADED,  ZATT_ESHUTTINGDOWN, ZATT_EUNKNOWN,   ZATT_EBADREQUEST,
       ZATT_ETOOLARGE,    ZATT_ESTORAGEFULL, ZATT_EUNAUTHORIZED, ZATT_ECOMPACTED, ZATT_ESESSION,
       ZATT_ESTALESEQ,    ZATT_EREFUSED,     ZATT_EINVAL,        ZATT_ECANCELED,  ZATT_EBUSY,
       ZATT_ESTOPPED,     ZATT_EADDRESS,     ZATT_ESTORAGE,      ZATT_EDISK,      ZATT_EEXPELLED}) {
    CAPTURE(error);
    CHECK(std::string(zatt_error_name(error)) != "unknown");
    CHECK(std::strlen(zatt_error_text(error)) > 3);
    CHECK((zatt_error_kind(error) == ZATT_KIND_OK) == (error == ZATT_OK));
  }
  CHECK(zatt_error_kind(ZATT_EUNKNOWN) == ZATT_KIND_UNKNOWN);
  CHECK(zatt_error_kind(ZATT_ENOLEADER) == ZATT_KIND_RETRY);
  CHECK(zatt_error_kind(-9999) == ZATT_KIND_USAGE);
}
