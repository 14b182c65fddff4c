// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/client.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace zatt::client {
namespace {

constexpr std::size_t max_reply_bytes = 32 << 20;  // a page of a scan, or one largest value
constexpr std::uint64_t attempt_us = 1'000'000;    // to connect and be greeted
constexpr std::uint64_t least_attempt_us = 50'000;
constexpr std::uint64_t status_age_us = 5'000'000;  // then who leads is asked for again

// The beginning of what somebody said who does not speak the protocol.
std::string excerpt(std::string_view line) {
  std::string text(line.substr(0, 60));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return "\"" + text + (line.size() > 60 ? "...\"" : "\"");
}

}  // namespace

Client::Client(Options options)
    : options_(std::move(options)),
      servers_(options_.servers),
      backoff_(options_.seed),
      reconnection_(options_.connect_timeout_us, backoff_),
      leader_search_(backoff_),
      splitter_(max_reply_bytes) {}

// --- what the program wants ----------------------------------------------------------------------

Result<Token> Client::ask(const Request& request, std::uint64_t timeout_us, std::uint64_t now_us) {
  auto text = writer_.begin(request);
  if (!text) return text.error();
  if (!requests_.has_space_for(text->size()))
    return Error{Code::too_big, 0, "", "too many requests wait already"};
  PendingRequest asked;
  asked.op = request.op;
  asked.text = std::move(*text);
  asked.deadline_us = now_us + timeout_us;
  asked.only_reads = writer_.only_reads(request);
  asked.needs_leader = request.op != Op::line && request.op != Op::status &&
                       request.op != Op::ping && !request.stale;
  const Token token = requests_.add(std::move(asked));
  if (state_ < State::no_leader && pending() == 1) reconnection_.on_first_request(now_us);
  settle(now_us);
  return token;
}

void Client::close() {
  requests_.cancel();
  connection_.reset();
  state_ = State::idle;
}

// --- the connection ------------------------------------------------------------------------------

void Client::connect_to(const Address& server, std::uint64_t now_us) {
  connection_ = Connection{++last_number_, server};
  requests_.begin_connection(last_number_);
  leader_search_.on_connecting();
  state_ = State::connecting;
  splitter_ = codec::LineSplitter(max_reply_bytes);
  status_asked_ = false;
  attempt_until_us_ = now_us + attempt_time_us(now_us);
}

std::uint64_t Client::attempt_time_us(std::uint64_t now_us) const {
  const std::uint64_t deadline_us = requests_.first_deadline_us();
  if (deadline_us == never_us) return attempt_us;
  const std::uint64_t left_us = deadline_us - std::min(now_us, deadline_us);
  return std::clamp<std::uint64_t>(left_us / servers_.size(), least_attempt_us, attempt_us);
}

void Client::on_connected(std::uint64_t number, std::uint64_t now_us) {
  if (!connection_ || connection_->number != number) return;
  state_ = State::handshaking;
  ask_status(now_us);
}

void Client::on_closed(std::uint64_t number, std::string_view why, std::uint64_t now_us) {
  if (!connection_ || connection_->number != number) return;
  lose(why, now_us);
  settle(now_us);
}

void Client::lose(std::string_view why, std::uint64_t now_us) {
  const bool had_answered = state_ >= State::no_leader;
  const std::string named = server_name() + ": " + std::string(why);
  servers_.failed(connection_->server, std::string(why), now_us);
  requests_.take_back_sent(named);
  reconnection_.on_failure(had_answered, server_count(), now_us);
  connection_.reset();
  state_ = State::idle;
}

void Client::switch_server(std::uint64_t now_us) {
  state_ = State::switching;
  if (requests_.sent() > 0) return;
  const auto& redirect_to = leader_search_.redirect_to();
  const Address server = redirect_to ? *redirect_to : servers_.next();
  connect_to(server, now_us);
}

void Client::settle(std::uint64_t now_us) {
  if (state_ == State::switching) switch_server(now_us);
  if (state_ == State::idle && requests_.front() != nullptr && reconnection_.may_connect(now_us))
    connect_to(servers_.next(), now_us);
  fill(now_us);
}

// --- requests onto it ----------------------------------------------------------------------------

bool Client::is_sendable(const PendingRequest& request, std::uint64_t now_us) const {
  if (request.not_before_us > now_us) return false;
  return state_ == State::ready || (state_ == State::no_leader && !request.needs_leader);
}

void Client::fill(std::uint64_t now_us) {
  while (requests_.front() != nullptr && !requests_.out().is_full() &&
         is_sendable(*requests_.front(), now_us)) {
    if (now_us >= status_at_us_ + status_age_us) ask_status(now_us);
    requests_.send_front(now_us);
  }
}

void Client::ask_status(std::uint64_t now_us) {
  if (status_asked_) return;
  status_asked_ = true;
  status_at_us_ = now_us;
  requests_.send_status_question();
}

void Client::on_sent(std::size_t bytes, std::uint64_t now_us) {
  requests_.on_sent(bytes);
  settle(now_us);
}

// --- answers from it -----------------------------------------------------------------------------

void Client::on_bytes(std::uint64_t number, std::string_view bytes, std::uint64_t now_us) {
  if (!connection_ || connection_->number != number) return;
  std::vector<Reply> replies;
  std::string trouble;
  splitter_.feed(bytes, [&](std::string_view line, bool too_long) {
    if (too_long) {
      trouble = "its answer has no end";
    } else if (auto reply = reader_.read(line)) {
      replies.push_back(std::move(*reply));
    } else {
      trouble = "it does not answer as zatt does: " + excerpt(line);
    }
    return trouble.empty();
  });
  const auto is_still_here = [&] { return connection_ && connection_->number == number; };
  for (Reply& reply : replies)
    if (is_still_here()) on_reply(std::move(reply), now_us);
  if (!trouble.empty() && is_still_here()) lose(trouble, now_us);
  settle(now_us);
}

void Client::on_reply(Reply reply, std::uint64_t now_us) {
  auto asked = requests_.take_answered();
  if (!asked) return lose("it answers what nobody asked", now_us);
  if (asked->token == 0) return on_status(reply, now_us);
  const Outcome outcome = reply.outcome;
  if (!try_again(*asked, reply, now_us)) requests_.finish(*asked, std::move(reply));
  if (outcome == Outcome::shutting_down && state_ != State::switching) switch_server(now_us);
  if (outcome == Outcome::no_leader && state_ == State::ready) ask_status(now_us);
}

void Client::on_status(const Reply& status, std::uint64_t now_us) {
  status_asked_ = false;
  if (status.outcome != Outcome::ok)
    return lose("it does not say how it is: " + status.message, now_us);
  if (status.node.empty()) return lose("it does not answer as zatt does", now_us);
  if (!options_.pin_server && !servers_.learn(connection_->server, status))
    return lose("it belongs to another cluster", now_us);
  attempt_until_us_ = never_us;
  reconnection_.on_answer();
  if (state_ == State::switching) return;
  if (status.leader) return on_leader(status, now_us);
  state_ = State::no_leader;
  leader_search_.on_no_leader(status.notice.empty() ? "" : server_name() + ": " + status.notice,
                              server_count(), now_us);
}

void Client::on_leader(const Reply& status, std::uint64_t now_us) {
  state_ = State::ready;
  if (leader_search_.on_leader(leader_elsewhere(status, now_us))) switch_server(now_us);
}

std::optional<Address> Client::leader_elsewhere(const Reply& status, std::uint64_t now_us) const {
  if (options_.pin_server || *status.leader == status.node) return std::nullopt;
  auto leader = servers_.find(*status.leader);
  if (!leader || *leader == connection_->server || servers_.has_failed_lately(*leader, now_us))
    return std::nullopt;
  return leader;
}

bool Client::try_again(PendingRequest& request, const Reply& reply, std::uint64_t now_us) {
  if (request.op == Op::line) return false;
  const bool certain = reply.outcome == Outcome::no_leader ||
                       reply.outcome == Outcome::overloaded ||
                       reply.outcome == Outcome::shutting_down ||
                       (reply.outcome == Outcome::unavailable && request.only_reads);
  if (!certain) return false;
  const std::uint64_t again_us = now_us + backoff_.pause_us(request.attempts);
  if (requests_.is_overtaken(request) || again_us >= request.deadline_us) return false;
  ++request.attempts;
  request.not_before_us = again_us;
  request.refusal = reply;
  requests_.ask_again(std::move(request));
  return true;
}

// --- time ----------------------------------------------------------------------------------------

void Client::on_time(std::uint64_t now_us) {
  expire(now_us);
  if (now_us >= reconnection_.give_up_at_us()) {
    requests_.give_up_unsent(reply_of_unsent());
    reconnection_.on_given_up();
  }
  if (connection_ && now_us >= attempt_until_us_) lose("it did not answer in time", now_us);
  if (state_ == State::no_leader && now_us >= leader_search_.look_again_at_us() &&
      requests_.front() != nullptr) {
    leader_search_.on_look();
    if (servers_.size() > 1 && requests_.sent() == 0)
      switch_server(now_us);
    else
      ask_status(now_us);
  }
  settle(now_us);
}

void Client::expire(std::uint64_t now_us) {
  if (requests_.first_deadline_us() > now_us) return;
  // It owes answers that nobody waits for any more, and those behind them would wait for these.
  if (requests_.expire(now_us, connection_ ? server_name() : "", reply_of_unsent()))
    lose("it did not answer in time", now_us);
}

// In a server's own words where it has some: who is missing, and since when.
Reply Client::reply_of_unsent() const {
  if (state_ == State::ready) return reply_of(Outcome::overloaded, "it could not be sent in time");
  const bool tries = state_ == State::connecting || state_ == State::handshaking;
  const std::string failures = servers_.failures(tries ? &connection_->server : nullptr);
  if (!leader_search_.has_failed() || reconnection_.failures() >= server_count())
    return reply_of(Outcome::no_server,
                    "no server answered" + (failures.empty() ? "" : ": " + failures));
  const std::string& said = leader_search_.text();
  const std::string why = !said.empty()      ? "; " + said
                          : failures.empty() ? ""
                                             : "; not answering: " + failures;
  return reply_of(Outcome::no_leader, "no server knew a leader in time" + why);
}

std::uint64_t Client::wake_at_us() const {
  std::uint64_t wake = requests_.first_deadline_us();
  if (connection_) wake = std::min(wake, attempt_until_us_);
  const PendingRequest* front = requests_.front();
  if (front == nullptr) return wake;
  if (state_ == State::no_leader) wake = std::min(wake, leader_search_.look_again_at_us());
  if (state_ == State::idle) wake = std::min(wake, reconnection_.retry_at_us());
  if (state_ == State::ready && front->not_before_us > 0 && !requests_.out().is_full())
    wake = std::min(wake, front->not_before_us);
  return std::min(wake, reconnection_.give_up_at_us());
}

}  // namespace zatt::client
