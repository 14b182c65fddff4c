// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/pending_requests.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace zatt;
using namespace zatt::client;

namespace {

PendingRequest request(bool only_reads, std::uint64_t deadline_us, std::size_t bytes = 2) {
  PendingRequest made;
  made.op = Op::line;
  made.text = std::string(bytes, only_reads ? 'r' : 'w');
  made.deadline_us = deadline_us;
  made.only_reads = only_reads;
  return made;
}

std::vector<std::pair<Token, Outcome>> all_done(PendingRequests& requests) {
  std::vector<std::pair<Token, Outcome>> all;
  while (auto done = requests.next_done()) all.emplace_back(done->token, done->reply.outcome);
  return all;
}

}  // namespace

TEST_CASE("pending requests: 64 MiB of them, sent or not, until they are done") {
  PendingRequests requests;
  constexpr std::size_t half = 32 << 20;
  requests.add(request(true, 5, half));
  requests.add(request(true, 5, half));
  requests.begin_connection(1);
  requests.send_front(0);
  CHECK(requests.size() == 2);
  CHECK(requests.sent() == 1);
  CHECK(requests.has_space_for(0));
  CHECK(!requests.has_space_for(1));
  requests.finish(*requests.take_answered(), {});
  CHECK(requests.has_space_for(half));
  CHECK(!requests.has_space_for(half + 1));
}

TEST_CASE("pending requests: the status question is nobody's request") {
  PendingRequests requests;
  requests.begin_connection(1);
  requests.send_status_question();
  CHECK(requests.out().waiting() == "{\"op\":\"status\"}\n");
  CHECK(requests.size() == 0);
  CHECK(requests.first_deadline_us() == never_us);
  CHECK(requests.take_answered()->token == 0);
  CHECK(!requests.take_answered());
  requests.send_status_question();
  requests.take_back_sent("gone");
  requests.cancel();
  CHECK(all_done(requests).empty());
}

TEST_CASE("pending requests: who is asked again takes the place it had") {
  PendingRequests requests;
  requests.begin_connection(1);
  std::vector<Token> tokens;
  for (int i = 0; i < 3; ++i) tokens.push_back(requests.add(request(false, 5)));
  requests.send_front(0);
  requests.send_front(0);
  auto first = requests.take_answered();
  CHECK(requests.is_overtaken(*first));
  auto second = requests.take_answered();
  CHECK(!requests.is_overtaken(*second));
  requests.ask_again(std::move(*second));
  requests.ask_again(std::move(*first));
  for (const Token token : tokens) {
    CHECK(requests.front()->token == token);
    requests.send_front(0);
  }
  CHECK(requests.front() == nullptr);
}

TEST_CASE("pending requests: whose time is up is done, and who owes an answer is known") {
  PendingRequests requests;
  requests.begin_connection(1);
  requests.add(request(true, 5));
  requests.add(request(false, 5));
  requests.add(request(false, 5));
  PendingRequest refused = request(false, 6);
  refused.refusal = reply_of(Outcome::overloaded, "");
  requests.add(std::move(refused));
  const Token last = requests.add(request(false, 9));
  for (int i = 0; i < 3; ++i) requests.send_front(0);
  requests.on_sent(4);  // "rr\nw": of the third, nothing
  CHECK(requests.first_deadline_us() == 5);
  const Reply otherwise = reply_of(Outcome::no_server, "");
  CHECK(requests.expire(5, "a:1", otherwise));
  CHECK(all_done(requests) == std::vector<std::pair<Token, Outcome>>{
                                  {1, Outcome::unavailable},
                                  {2, Outcome::outcome_unknown},
                                  {3, Outcome::no_server},
                              });
  CHECK(requests.first_deadline_us() == 6);
  CHECK(!requests.expire(6, "a:1", otherwise));
  CHECK(all_done(requests) == std::vector<std::pair<Token, Outcome>>{{4, Outcome::overloaded}});
  requests.give_up_unsent(otherwise);
  CHECK(all_done(requests) == std::vector<std::pair<Token, Outcome>>{{last, Outcome::no_server}});
  CHECK(requests.size() == 0);
}
