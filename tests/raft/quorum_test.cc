// SPDX-License-Identifier: AGPL-3.0-or-later
#include "raft/quorum.h"

#include <doctest/doctest.h>

#include <bit>

#include "raft/raft.h"
#include "tests/raft/one_server.h"

namespace zatt::raft {
namespace {

constexpr unsigned nodes = 5;

MemberId node(unsigned i) { return {std::to_string(i), 7}; }

// Sets of nodes are bits. `in` and `out` are the halves; who is in neither is a learner.
Configuration joint(unsigned in, unsigned out) {
  Configuration configuration;
  for (unsigned i = 0; i < nodes; ++i) {
    const bool voter = (in >> i & 1) != 0;
    const bool outgoing = (out >> i & 1) != 0;
    configuration.members.push_back({node(i), {}, voter, outgoing, !voter && !outgoing});
  }
  return configuration;
}

// The oracle: counts, and shares no code with raft/.
bool carries(unsigned half, unsigned yes) {
  return 2 * std::popcount(half & yes) > std::popcount(half);
}
bool oracle(unsigned in, unsigned out, unsigned yes) {
  return in != 0 && carries(in, yes) && (out == 0 || carries(out, yes));
}

unsigned bit_of(const MemberId& server) { return 1U << (server.id[0] - '0'); }

}  // namespace

TEST_CASE("majority_index: what a majority stores") {
  struct Row {
    const char* why;
    std::vector<Index> match_index;
    Index want;
  };
  const Row rows[] = {
      {"a lone voter is a majority", {Index{7}}, Index{7}},
      {"two voters: both must store it", {Index{7}, Index{5}}, Index{5}},
      {"three: one may lag", {Index{7}, Index{5}, Index{0}}, Index{5}},
      {"four: still only one may lag", {Index{9}, Index{7}, Index{5}, Index{1}}, Index{5}},
      {"order is free", {Index{1}, Index{7}, Index{5}}, Index{5}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(majority_index(row.match_index) == row.want);
  }
}

TEST_CASE("is_quorum: all pairs of halves of five, all answers, against counting") {
  for (unsigned in = 0; in < 32; ++in) {
    for (unsigned out = 0; out < 32; ++out) {
      const Configuration configuration = joint(in, out);
      for (unsigned yes = 0; yes < 32; ++yes) {
        const bool got =
            is_quorum(configuration, [&](const MemberId& s) { return (yes & bit_of(s)) != 0; });
        if (got != oracle(in, out, yes)) FAIL_CHECK("in ", in, " out ", out, " yes ", yes);
      }
    }
  }
}

TEST_CASE("has_even_halves: of both halves, where there are two") {
  for (unsigned in = 0; in < 32; ++in) {
    for (unsigned out = 0; out < 32; ++out) {
      const bool want = in != 0 && std::popcount(in) % 2 == 0 && std::popcount(out) % 2 == 0;
      CHECK(has_even_halves(joint(in, out)) == want);
    }
  }
}

TEST_CASE("quorum_index: the highest that a quorum stores, against counting") {
  for (unsigned in = 1; in < 32; ++in) {
    for (unsigned out = 0; out < 32; ++out) {
      const Configuration configuration = joint(in, out);
      for (unsigned code = 0; code < 243; ++code) {  // each node at index 0, 1 or 2
        unsigned at[nodes], rest = code;
        for (unsigned& index : at) {
          index = rest % 3;
          rest /= 3;
        }
        const Index got = quorum_index(configuration,
                                       [&](const MemberId& s) { return Index{at[s.id[0] - '0']}; });
        std::uint64_t want = 0;
        for (unsigned index = 1; index <= 2; ++index) {
          unsigned yes = 0;
          for (unsigned i = 0; i < nodes; ++i) yes |= at[i] >= index ? 1U << i : 0U;
          if (oracle(in, out, yes)) want = index;
        }
        if (got != Index{want}) FAIL_CHECK("in ", in, " out ", out, " code ", code);
      }
    }
  }
}

// The uses of it: a server that forgot one half, or counted a learner, would show here.
namespace {

struct Halves {
  unsigned in, out;
};

Configuration as_peers(const Halves& halves) {  // node i is peer i + 1; the server is 1
  Configuration configuration = joint(halves.in, halves.out);
  for (unsigned i = 0; i < nodes; ++i)
    configuration.members[i].server = peer(std::to_string(i + 1));
  return configuration;
}

std::string id_of(unsigned i) { return std::to_string(i + 1); }

template <class F>
void for_all_halves(const F& f) {
  for (unsigned in = 1; in < 32; ++in)
    for (unsigned out = 0; out < 32; ++out)
      if (((in | out) & 1) != 0) f(Halves{in, out});
}

bool lead(OneServer& server) {
  server.fire();
  if (server.is_pre_candidate())
    for (unsigned i = 1; i < nodes; ++i) server.receive(id_of(i), VoteReply{Term{1}, true, true});
  server.persist();
  if (server.is_candidate())
    for (unsigned i = 1; i < nodes; ++i) server.receive(id_of(i), VoteReply{Term{1}, true, false});
  return server.raft.is_leader();
}

}  // namespace

TEST_CASE("pre-votes and votes: every set of answers, as a quorum of both halves") {
  for_all_halves([](const Halves& halves) {
    for (unsigned yes = 0; yes < 16; ++yes) {
      const bool want = oracle(halves.in, halves.out, yes << 1 | 1);
      OneServer server(as_peers(halves));
      server.fire();
      for (unsigned i = 1; i < nodes; ++i)
        if ((yes >> (i - 1) & 1) != 0)
          for (int twice = 0; twice < 2; ++twice)
            server.receive(id_of(i), VoteReply{Term{1}, true, true});
      REQUIRE(server.is_candidate() == want);

      OneServer candidate(as_peers(halves));
      candidate.fire();
      for (unsigned i = 1; i < nodes; ++i)
        candidate.receive(id_of(i), VoteReply{Term{1}, true, true});
      REQUIRE(candidate.is_candidate());
      candidate.persist();
      for (unsigned i = 1; i < nodes; ++i)
        if ((yes >> (i - 1) & 1) != 0)
          for (int twice = 0; twice < 2; ++twice)
            candidate.receive(id_of(i), VoteReply{Term{1}, true, false});
      REQUIRE(candidate.raft.is_leader() == want);
    }
  });
}

TEST_CASE("commit, reads and check quorum: every set of answers, as a quorum of both halves") {
  for_all_halves([](const Halves& halves) {
    for (unsigned yes = 0; yes < 16; ++yes) {
      const bool want = oracle(halves.in, halves.out, yes << 1 | 1);
      OneServer server(as_peers(halves));
      REQUIRE(lead(server));
      server.persist();
      server.step(ReadRequests{server.term(), {{1, false}}});
      std::size_t confirmed = server.output.reads.size();
      server.now_us += server.raft.options().election_timeout_us;  // nobody's word is fresh
      server.now_us += 1;
      for (unsigned i = 1; i < nodes; ++i) {
        if ((yes >> (i - 1) & 1) == 0) continue;
        server.receive(id_of(i), HeartbeatReply{Term{1}, 1, Index{2}, Index{2}, DiskSpace::enough});
        confirmed += server.output.reads.size();
      }
      REQUIRE((server.raft.commit_index() == Index{2}) == want);
      REQUIRE((confirmed == 1) == want);
      server.step(Tick{});
      REQUIRE(server.raft.is_leader() == want);
    }
  });
}

}  // namespace zatt::raft
