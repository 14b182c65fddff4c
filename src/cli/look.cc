// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/look.h"

#include <poll.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/clock.h"
#include "zatt/zatt.h"

namespace zatt::cli {
namespace {

constexpr int first_look_ms = 200;  // by then one that refuses has refused

// One server, asked until it answers, refuses, or has had its time.
class StatusQuery {
 public:
  StatusQuery(const std::string& address, int timeout_ms) : end_ms_(now_ms() + timeout_ms) {
    asked.address = address;
    char error[512] = "";
    zatt_client_options options = zatt_client_options_of(asked.address.c_str());
    options.stay = 1;
    options.error = error;
    options.error_size = sizeof error;
    zatt_client* client = nullptr;
    open_error = zatt_client_open(&options, &client);
    client_.reset(client);
    if (client == nullptr)
      end(error);
    else
      ask(std::min(timeout_ms, first_look_ms));
  }

  bool is_done() const { return done_; }
  zatt_client* client() const { return client_.get(); }

  void turn() {
    if (!done_) zatt_client_dispatch(client_.get());
    if (!ask_again_) return;
    ask_again_ = false;
    const std::int64_t left_ms = end_ms_ - now_ms();
    if (left_ms <= 0) return end("no answer in time");
    ask(static_cast<int>(left_ms));
  }

  Asked asked;
  int open_error = ZATT_OK;

 private:
  struct Closer {
    void operator()(zatt_client* client) const { zatt_client_close(client); }
  };

  void ask(int timeout_ms) {
    // A line: the answer as it is, and whether or not there is a leader.
    zatt_request request = zatt_request_of(ZATT_OP_LINE);
    request.value = zatt_str("{\"op\":\"status\"}");
    request.timeout_ms = std::max(1, timeout_ms);
    const auto on_reply = [](void* user, const zatt_reply* reply) {
      static_cast<StatusQuery*>(user)->answer(*reply);
    };
    if (zatt_client_send(client_.get(), &request, on_reply, this) != ZATT_OK)
      end(zatt_client_message(client_.get()));
  }

  void answer(const zatt_reply& reply) {
    if (reply.error == ZATT_ECANCELED) return;
    if (reply.line.data != nullptr) {
      asked.answer = to_answer({reply.line.data, reply.line.size});
      return end(asked.answer ? "" : "it does not answer as zatt does");
    }
    // Where there is still a connection, or the making of one, it may yet answer.
    if (now_ms() < end_ms_ && zatt_client_fd(client_.get()) >= 0)
      ask_again_ = true;
    else
      end(why_of(reply));
  }

  // The client's sentence says also what the table says anyhow.
  std::string why_of(const zatt_reply& reply) const {
    std::string why = reply.message;
    const std::string name = asked.address + ": ";
    if (const std::size_t at = why.find(name); at != std::string::npos)
      why.erase(0, at + name.size());
    else if (reply.error == ZATT_ENOSERVER)
      why = "no answer in time";
    return why == "it did not answer in time" ? "no answer in time" : why;
  }

  void end(std::string why) {
    done_ = true;
    asked.why = std::move(why);
  }

  const std::int64_t end_ms_;
  std::unique_ptr<zatt_client, Closer> client_;
  bool ask_again_ = false;
  bool done_ = false;
};

using StatusQueries = std::vector<std::unique_ptr<StatusQuery>>;

std::vector<std::string> split(const std::string& servers) {
  std::vector<std::string> list;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t comma = servers.find(',', begin);
    std::string server = servers.substr(begin, comma - begin);
    server.erase(0, std::min(server.find_first_not_of(" \t"), server.size()));
    server.erase(server.find_last_not_of(" \t") + 1);
    if (std::find(list.begin(), list.end(), server) == list.end()) list.push_back(server);
    if (comma == std::string::npos) return list;
    begin = comma + 1;
  }
}

// As servers name themselves.
std::string with_port(const std::string& server) {
  const bool v6 = server.substr(0, 1) == "[";
  const bool has_port = v6 ? server.find("]:") != std::string::npos
                           : std::count(server.begin(), server.end(), ':') == 1;
  if (has_port) return server;
  const bool bare_v6 = !v6 && std::count(server.begin(), server.end(), ':') > 1;
  return (bare_v6 ? "[" + server + "]" : server) + ":5254";
}

std::vector<Asked> asked_by(const StatusQueries& queries) {
  std::vector<Asked> all;
  for (const auto& query : queries) all.push_back(query->asked);
  return all;
}

// False after ^C.
bool wait_for_all(StatusQueries& queries, int timeout_ms, const Interrupts& interrupts) {
  for (;;) {
    std::size_t done = 0;
    for (const auto& query : queries) query->turn();
    for (const std::string& address : not_asked_yet(asked_by(queries)))
      queries.push_back(std::make_unique<StatusQuery>(address, timeout_ms));
    std::vector<pollfd> polled = {{interrupts.fd(), POLLIN, 0}};
    int wake_ms = -1;
    for (const auto& query : queries) {
      if (query->is_done()) {
        ++done;
        continue;
      }
      zatt_client* const client = query->client();
      polled.push_back({zatt_client_fd(client), static_cast<short>(zatt_client_events(client)), 0});
      const int own_ms = zatt_client_wake_ms(client);
      if (own_ms >= 0) wake_ms = wake_ms < 0 ? own_ms : std::min(wake_ms, own_ms);
    }
    if (done == queries.size()) return true;
    poll(polled.data(), polled.size(), wake_ms);
    if (interrupts.caught() != 0) return false;
  }
}

bool is_leader_missing(const ClusterStatus& status) {
  return std::any_of(status.rows.begin(), status.rows.end(),
                     [](const Row& row) { return row.leads && row.answer == nullptr; });
}

// Those that answered have waited for the one that did not: by now they may know a new leader.
void ask_once_more(StatusQueries& queries, int timeout_ms) {
  for (auto& query : queries)
    if (query->asked.answer)
      query = std::make_unique<StatusQuery>(query->asked.address, timeout_ms);
}

}  // namespace

Look look_at_all(const std::string& servers, int timeout_ms, const Interrupts& interrupts) {
  Look look;
  StatusQueries queries;
  for (const std::string& server : split(servers)) {
    queries.push_back(std::make_unique<StatusQuery>(with_port(server), timeout_ms));
    if (queries.back()->open_error != ZATT_EINVAL) continue;
    look.wrong = queries.back()->asked.why;
    return look;
  }
  look.interrupted = !wait_for_all(queries, timeout_ms, interrupts);
  if (!look.interrupted && is_leader_missing(cluster_status_of(asked_by(queries)))) {
    ask_once_more(queries, timeout_ms);
    look.interrupted = !wait_for_all(queries, timeout_ms, interrupts);
  }
  look.asked = asked_by(queries);
  return look;
}

}  // namespace zatt::cli
