// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/cluster_status.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/table.h"

using namespace zatt::cli;

namespace {

// Three members, a, b and c, at ports 1, 2 and 3.
std::string says(const std::string& node, const std::string& role, int term,
                 const std::string& leader, const std::string& extra_of_c = "",
                 const std::string& cluster = "77") {
  const bool leads = role == "leader";
  const auto member = [&](const char* id, int port, int match, const std::string& extra) {
    return std::string("\"") + id + "\":{\"address\":[\"127.0.0.1\"," + std::to_string(port) +
           "],\"voter\":true" + (leads ? ",\"match_index\":" + std::to_string(match) : "") + extra +
           "}";
  };
  return "{\"ok\":true,\"node\":\"" + node + "\",\"role\":\"" + role +
         "\",\"term\":" + std::to_string(term) +
         ",\"leader\":" + (leader.empty() ? "null" : "\"" + leader + "\"") +
         ",\"commit\":90,\"applied\":90,\"last\":100,\"snapshot\":0,\"members\":{" +
         member("a", 1, 100, ",\"connected\":true") + "," +
         member("b", 2, 97, ",\"connected\":true") + "," + member("c", 3, 40, extra_of_c) +
         "},\"keys\":12,\"version\":\"0.1.0\",\"uptime_s\":" +
         std::to_string(node == "a" ? 100 : 200) + ",\"cluster\":\"" + cluster + "\"}";
}

Asked answered(const std::string& address, const std::string& line) {
  Asked asked;
  asked.address = address;
  asked.answer = to_answer(line);
  REQUIRE(asked.answer);
  return asked;
}
Asked silent(const std::string& address, const std::string& why) {
  Asked asked;
  asked.address = address;
  asked.why = why;
  return asked;
}

}  // namespace

TEST_CASE("a cluster that is well") {
  const std::vector<Asked> asked = {answered("127.0.0.1:1", says("a", "leader", 4, "a")),
                                    answered("127.0.0.1:2", says("b", "follower", 4, "a")),
                                    answered("127.0.0.1:3", says("c", "follower", 4, "a"))};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(status.quorum);
  CHECK(status.leader == "a");
  CHECK(status.reached == 3);
  REQUIRE(status.rows.size() == 3);
  CHECK(status.rows[0].leads);
  CHECK(status.rows[0].lag == 0);
  CHECK(status.rows[1].lag == 3);
  CHECK(table_of(status, false) ==
        "ok: node a leads in term 4; 3 of 3 voters answer\n"
        "cluster 77, 12 keys, version 0.1.0\n"
        "\n"
        "  NODE  ADDRESS      ROLE      TERM  LAG    UP\n"
        "* a     127.0.0.1:1  leader       4    0  100s\n"
        "  b     127.0.0.1:2  follower     4    3    3m\n"
        "  c     127.0.0.1:3  follower     4   60    3m\n");
  CHECK(table_of(status, true).find("\x1b[32mok\x1b[0m") == 0);
  CHECK(status.whole);
  CHECK(json_of(status).starts_with(R"({"ok":true,"state":"ok",)"));
}

TEST_CASE("a member does not answer: the others say how far it was") {
  const std::vector<Asked> asked = {answered("127.0.0.1:1", says("a", "leader", 4, "a")),
                                    answered("127.0.0.1:2", says("b", "follower", 4, "a")),
                                    silent("127.0.0.1:3", "Connection refused")};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(status.quorum);
  CHECK(status.reached == 2);
  CHECK(status.rows[2].lag == 60);
  CHECK(table_of(status, false).find("degraded: node a leads") == 0);
  CHECK_FALSE(status.whole);
  CHECK(json_of(status).starts_with(R"({"ok":false,"state":"degraded",)"));
  CHECK(table_of(status, false)
            .find("\n  c     127.0.0.1:3  no answer     -   60     -  Connection refused\n") !=
        std::string::npos);
}

TEST_CASE("no leader, no majority") {
  const std::vector<Asked> asked = {answered("127.0.0.1:1", says("a", "candidate", 5, "")),
                                    silent("127.0.0.1:2", "Connection refused"),
                                    silent("127.0.0.1:3", "no answer in time")};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(!status.quorum);
  CHECK(table_of(status, false).find("down: no leader; 1 of 3 voters answers, and it takes 2\n") ==
        0);
  CHECK(json_of(status).starts_with(R"({"ok":false,"state":"down",)"));
}

TEST_CASE("what we cannot reach counts where the leader reaches it") {
  const std::string line = says("b", "follower", 4, "a", ",\"connected\":true");
  const std::vector<Asked> asked = {silent("127.0.0.1:1", "no route"),
                                    answered("127.0.0.1:2", line),
                                    silent("127.0.0.1:3", "no route")};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(status.quorum);
  CHECK(status.rows[0].why == "no route; node b is connected to it");
}

TEST_CASE("a learner that still knows a leader does not make up for voters who know none") {
  const std::vector<Asked> asked = {silent("127.0.0.1:1", "no answer in time"),
                                    answered("127.0.0.1:2", says("b", "candidate", 4, "")),
                                    answered("127.0.0.1:3", says("c", "learner", 4, "a"))};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(!status.quorum);
  CHECK(state_of(status) == "down");
}

TEST_CASE("how far an emptied member lags is its own word") {
  const std::vector<Asked> asked = {answered("127.0.0.1:1", says("a", "leader", 4, "a")),
                                    answered("127.0.0.1:2", says("b", "follower", 4, "a")),
                                    answered("127.0.0.1:3", says("c", "learner", 4, "a"))};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(status.rows[1].lag == 3);  // as the leader has heard: that much is on its disk
  CHECK(status.rows[2].lag == 0);
}

TEST_CASE("a leader that was deposed does not count") {
  const std::vector<Asked> asked = {answered("127.0.0.1:1", says("a", "leader", 4, "a")),
                                    answered("127.0.0.1:2", says("b", "leader", 5, "b")),
                                    answered("127.0.0.1:3", says("c", "follower", 5, "b"))};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(status.leader == "b");
  CHECK(status.term == 5);
  CHECK(!status.rows[0].leads);
}

TEST_CASE("a member whose directory was emptied answers, but does not count") {
  const std::string notice = ",\"notice\":\"its storage directory was emptied\"";
  const std::vector<Asked> asked = {answered("127.0.0.1:1", says("a", "follower", 4, "", notice)),
                                    silent("127.0.0.1:2", "Connection refused"),
                                    answered("127.0.0.1:3", says("c", "learner", 4, "", notice))};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(status.reached == 1);
  CHECK(!status.quorum);
  CHECK(table_of(status, false).find("\nnode c: its storage directory was emptied\n") !=
        std::string::npos);
}

TEST_CASE("who is asked next: members that were only named") {
  std::vector<Asked> asked = {answered("localhost:1", says("a", "leader", 4, "a"))};
  CHECK(not_asked_yet(asked) == std::vector<std::string>{"127.0.0.1:2", "127.0.0.1:3"});
  asked.push_back(silent("127.0.0.1:2", ""));
  CHECK(not_asked_yet(asked) == std::vector<std::string>{"127.0.0.1:3"});
}

TEST_CASE("one process under two names is one row, another cluster a row of its own") {
  const std::vector<Asked> asked = {answered("127.0.0.1:1", says("a", "leader", 4, "a")),
                                    answered("localhost:1", says("a", "leader", 4, "a")),
                                    answered("127.0.0.1:9", says("a", "leader", 9, "a", "", "88")),
                                    silent("127.0.0.1:8", "Connection refused")};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(status.cluster == "77");
  REQUIRE(status.rows.size() == 5);
  CHECK(!status.rows[3].member);
  CHECK(status.rows[3].notices[0] == "it belongs to another cluster, 88");
  CHECK(status.rows[4].address == "127.0.0.1:8");
  CHECK(status.rows[4].id == "");
}

TEST_CASE("nobody answers") {
  const std::vector<Asked> asked = {silent("127.0.0.1:5254", "Connection refused")};
  const ClusterStatus status = cluster_status_of(asked);
  CHECK(!status.quorum);
  CHECK(table_of(status, false) ==
        "down: the one server that was asked does not answer (--servers or ZATT_SERVERS name "
        "others)\n"
        "\n"
        "  NODE  ADDRESS         ROLE       TERM  LAG  UP\n"
        "  ?     127.0.0.1:5254  no answer     -    -   -  Connection refused\n");
  CHECK(json_of(status) ==
        "{\"ok\":false,\"state\":\"down\",\"cluster\":\"\",\"leader\":null,\"term\":0,\"voters\":0,"
        "\"reached\":0,"
        "\"keys\":0,\"members\":[{\"id\":null,\"address\":\"127.0.0.1:5254\",\"member\":false,"
        "\"voter\":false,\"reached\":false,\"why\":\"Connection refused\",\"lag\":null,"
        "\"notices\":[]}]}\n");
}

TEST_CASE("what a server says cannot move the cursor") {
  const std::vector<Asked> asked = {
      answered("127.0.0.1:1", says("\\u001b[2J", "\\u001b", 4, "\\u001b"))};
  CHECK(table_of(cluster_status_of(asked), false).find('\x1b') == std::string::npos);
}

TEST_CASE("to_answer: no answer") {
  for (const char* line : {"", "{}", "{\"ok\":true}", "{\"ok\":false,\"node\":\"a\"}", "x"}) {
    CAPTURE(line);
    CHECK(!to_answer(line));
  }
}

TEST_CASE("duration_of") {
  CHECK(duration_of(0) == "0s");
  CHECK(duration_of(119) == "119s");
  CHECK(duration_of(120) == "2m");
  CHECK(duration_of(7'200) == "2h");
  CHECK(duration_of(172'800) == "2d");
}

TEST_CASE("a write can be taken where a majority of the voters answers and has room") {
  const auto with_disks = [](const std::string& full) {
    std::vector<Asked> asked;
    for (const std::string node : {"a", "b", "c"}) {
      std::string line = says(node, node == "a" ? "leader" : "follower", 3, "a");
      if (full.find(node) != std::string::npos) line.insert(line.rfind('}'), ",\"disk\":\"full\"");
      asked.push_back({"127.0.0.1:" + std::to_string(1 + node[0] - 'a'), to_answer(line), ""});
    }
    return asked;
  };
  CHECK(can_take_writes(cluster_status_of(with_disks(""))));
  CHECK(can_take_writes(cluster_status_of(with_disks("a"))));
  CHECK(!can_take_writes(cluster_status_of(with_disks("ab"))));
  CHECK(!can_take_writes(cluster_status_of(with_disks("abc"))));
  std::vector<Asked> one_is_down = with_disks("a");
  one_is_down[2] = {"127.0.0.1:3", std::nullopt, "Connection refused"};
  CHECK(!can_take_writes(cluster_status_of(one_is_down)));
  CHECK(!can_take_writes(cluster_status_of({{"127.0.0.1:1", std::nullopt, "Connection refused"}})));
}
