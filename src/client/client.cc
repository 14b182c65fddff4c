// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/client.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace zatt::client {
namespace {

constexpr std::size_t max_reply_bytes = 32 << 20;    // a page of a scan, or one largest value
constexpr std::size_t max_waiting_bytes = 64 << 20;  // of requests
constexpr std::size_t max_out_bytes = 256 << 10;     // written out before more is put there
constexpr std::uint64_t attempt_us = 1'000'000;      // to connect and be greeted
constexpr std::uint64_t least_attempt_us = 50'000;
constexpr std::uint64_t status_age_us = 5'000'000;  // then who leads is asked for again
constexpr std::uint64_t first_pause_us = 20'000;
constexpr std::uint64_t longest_pause_us = 400'000;
constexpr std::uint32_t most_hops = 3;

constexpr std::uint64_t pause_after(std::uint32_t times) {
  return std::min(longest_pause_us, first_pause_us << std::min(times, 10U));
}

// A little less than what is left, so that the server's word comes before our own deadline.
std::uint32_t server_timeout_ms(std::uint64_t left_us) {
  const std::uint64_t margin_us = std::clamp<std::uint64_t>(left_us / 10, 1'000, 250'000);
  const std::uint64_t ms = left_us > margin_us ? (left_us - margin_us) / 1000 : 0;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(ms, 1, 600'000));
}

// The beginning of what somebody said who does not speak the protocol.
std::string excerpt(std::string_view line) {
  std::string text(line.substr(0, 60));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return "\"" + text + (line.size() > 60 ? "...\"" : "\"");
}

Reply reply_of(Outcome outcome, std::string message) {
  Reply reply;
  reply.outcome = outcome;
  reply.message = std::move(message);
  return reply;
}

}  // namespace

Client::Client(Options options)
    : options_(std::move(options)),
      servers_(options_.servers),
      prng_(options_.seed),
      splitter_(max_reply_bytes) {}

// --- what the program wants ----------------------------------------------------------------------

Result<Token> Client::ask(const Request& request, std::uint64_t timeout_us, std::uint64_t now_us) {
  auto text = writer_.begin(request);
  if (!text) return text.error();
  if (waiting_bytes_ + text->size() > max_waiting_bytes)
    return Error{Code::too_big, 0, "", "too many requests wait already"};
  PendingRequest asked;
  asked.token = ++last_token_;
  asked.op = request.op;
  asked.text = std::move(*text);
  asked.deadline_us = now_us + timeout_us;
  asked.only_reads = writer_.only_reads(request);
  asked.needs_leader = request.op != Op::line && request.op != Op::status &&
                       request.op != Op::ping && !request.stale;
  waiting_bytes_ += asked.text.size();
  deadlines_.insert(asked.deadline_us);
  queue_.push_back(std::move(asked));
  if (state_ < State::no_leader && pending() == 1) unreached_since_us_ = now_us;
  settle(now_us);
  return last_token_;
}

std::optional<Client::Done> Client::next_done() {
  if (done_.empty()) return std::nullopt;
  std::optional<Done> done = std::move(done_.front());
  done_.pop_front();
  return done;
}

void Client::close() {
  for (const PendingRequest& asked : std::exchange(sent_, {})) {
    if (asked.token == 0) continue;
    if (asked.only_reads || !was_sent(asked))
      finish(asked, Outcome::canceled, "given up before it was answered");
    else
      finish(asked, Outcome::outcome_unknown, "given up before the write was answered");
  }
  asked_ = 0;
  for (const PendingRequest& asked : std::exchange(queue_, {}))
    finish(asked, Outcome::canceled, "given up before it was sent");
  connection_.reset();
  state_ = State::idle;
}

// --- connections ---------------------------------------------------------------------------------

void Client::connect_to(const Address& server, std::uint64_t now_us) {
  ZATT_ASSERT(sent_.empty() || asked_ == 0);
  sent_.clear();
  connection_ = Connection{++last_number_, server};
  state_ = State::connecting;
  splitter_ = codec::LineSplitter(max_reply_bytes);
  out_.clear();
  out_begin_ = 0;
  queued_bytes_ = sent_bytes_ = 0;
  status_asked_ = false;
  look_again_us_ = UINT64_MAX;
  redirect_to_.reset();
  attempt_until_us_ = now_us + attempt_time_us(now_us);
}

// Each server gets its turn before the first request's time is up.
std::uint64_t Client::attempt_time_us(std::uint64_t now_us) const {
  if (deadlines_.empty()) return attempt_us;
  const std::uint64_t left_us = *deadlines_.begin() - std::min(now_us, *deadlines_.begin());
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
  const bool was_greeted = state_ >= State::no_leader;
  const std::string named = server_name() + ": " + std::string(why);
  servers_.failed(connection_->server, std::string(why), now_us);
  take_back_sent(named);
  connection_.reset();
  state_ = State::idle;
  if (unreached_since_us_ == UINT64_MAX) unreached_since_us_ = now_us;
  ++failures_;
  retry_at_us_ = now_us;
  const auto round = static_cast<std::uint32_t>(servers_.size());
  if (failures_ >= round)
    retry_at_us_ += jittered(pause_after(failures_ / round - 1));
  else if (was_greeted)
    retry_at_us_ += jittered(first_pause_us);  // it may go on like that for ever
}

// What was not answered when its connection ended. Reads are asked again, unless a write that was
// asked after them has been sent: they might see it.
void Client::take_back_sent(std::string_view why) {
  std::deque<PendingRequest> sent = std::exchange(sent_, {});
  asked_ = 0;
  Token last_write = 0;
  for (const PendingRequest& asked : sent)
    if (!asked.only_reads && was_sent(asked)) last_write = asked.token;
  for (PendingRequest& asked : sent) {
    if (asked.token == 0) continue;
    if (!was_sent(asked)) {
      put_back(std::move(asked));
    } else if (!asked.only_reads) {
      finish(asked, Outcome::outcome_unknown,
             "the connection ended before the write was answered: " + std::string(why));
    } else {
      Reply lost = reply_of(Outcome::unavailable,
                            "the connection ended before the answer came: " + std::string(why));
      if (asked.token < last_write) {
        finish(asked, std::move(lost));
      } else {
        asked.refusal = std::move(lost);
        put_back(std::move(asked));
      }
    }
  }
}

// At its place: requests are sent in the order asked.
void Client::put_back(PendingRequest asked) {
  const auto place = std::ranges::upper_bound(queue_, asked.token, {}, &PendingRequest::token);
  queue_.insert(place, std::move(asked));
}

// Once all that was asked here is answered, on to the leader, or to whoever is next.
void Client::switch_server(std::uint64_t now_us) {
  state_ = State::switching;
  if (asked_ > 0) return;
  const Address server = redirect_to_ ? *redirect_to_ : servers_.next();
  connect_to(server, now_us);
}

// What follows from any event: a connection where one is needed, and requests onto it.
void Client::settle(std::uint64_t now_us) {
  if (state_ == State::switching) switch_server(now_us);
  if (state_ == State::idle && !queue_.empty() && now_us >= retry_at_us_)
    connect_to(servers_.next(), now_us);
  fill(now_us);
}

// --- questions -----------------------------------------------------------------------------------

bool Client::is_sendable(const PendingRequest& asked, std::uint64_t now_us) const {
  if (asked.not_before_us > now_us) return false;
  return state_ == State::ready || (state_ == State::no_leader && !asked.needs_leader);
}

void Client::fill(std::uint64_t now_us) {
  while (!queue_.empty() && outgoing().size() < max_out_bytes &&
         is_sendable(queue_.front(), now_us)) {
    if (now_us >= status_at_us_ + status_age_us) ask_status(now_us);
    PendingRequest asked = std::move(queue_.front());
    queue_.pop_front();
    ++asked_;
    send(std::move(asked), now_us);
  }
}

void Client::send(PendingRequest asked, std::uint64_t now_us) {
  asked.sent_on = connection_->number;
  asked.sent_at_byte = queued_bytes_;
  const std::size_t before = out_.size();
  out_ += asked.text;
  RequestWriter::end(out_, asked.op, server_timeout_ms(asked.deadline_us - now_us));
  queued_bytes_ += out_.size() - before;
  sent_.push_back(std::move(asked));
}

void Client::ask_status(std::uint64_t now_us) {
  if (status_asked_) return;
  status_asked_ = true;
  status_at_us_ = now_us;
  PendingRequest asked;
  asked.op = Op::line;
  asked.text = "{\"op\":\"status\"}";
  send(std::move(asked), now_us);
}

void Client::on_sent(std::size_t bytes, std::uint64_t now_us) {
  sent_bytes_ += bytes;
  out_begin_ += bytes;
  ZATT_ASSERT(out_begin_ <= out_.size());
  if (out_begin_ == out_.size() || out_begin_ >= max_out_bytes) {
    out_.erase(0, out_begin_);
    out_begin_ = 0;
  }
  settle(now_us);
}

// --- answers -------------------------------------------------------------------------------------

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
    if (is_still_here()) take(std::move(reply), now_us);
  if (!trouble.empty() && is_still_here()) lose(trouble, now_us);
  settle(now_us);
}

void Client::take(Reply reply, std::uint64_t now_us) {
  if (sent_.empty()) return lose("it answers what nobody asked", now_us);
  PendingRequest asked = std::move(sent_.front());
  sent_.pop_front();
  if (asked.token == 0) return on_status(reply, now_us);
  --asked_;
  const Outcome outcome = reply.outcome;
  if (!try_again(asked, reply, now_us)) finish(asked, std::move(reply));
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
  attempt_until_us_ = UINT64_MAX;
  unreached_since_us_ = UINT64_MAX;
  failures_ = 0;
  if (state_ == State::switching) return;
  if (status.leader)
    on_leader(status, now_us);
  else
    on_no_leader(status.notice, now_us);
}

void Client::on_leader(const Reply& status, std::uint64_t now_us) {
  no_leader_count_ = 0;
  look_again_us_ = UINT64_MAX;
  state_ = State::ready;
  if (!options_.pin_server && *status.leader != status.node && hops_ < most_hops) {
    redirect_to_ = servers_.find(*status.leader);
    if (redirect_to_ && *redirect_to_ != connection_->server &&
        !servers_.has_failed_lately(*redirect_to_, now_us)) {
      ++hops_;
      return switch_server(now_us);
    }
  }
  hops_ = 0;
}

// Another server may know more; once all were asked, there is an election to wait for.
void Client::on_no_leader(const std::string& notice, std::uint64_t now_us) {
  state_ = State::no_leader;
  ++no_leader_count_;
  no_leader_text_ = notice.empty() ? "" : server_name() + ": " + notice;
  const auto round = static_cast<std::uint32_t>(servers_.size());
  look_again_us_ = no_leader_count_ < round
                       ? now_us
                       : now_us + jittered(std::min(pause_after(no_leader_count_ / round - 1),
                                                    std::uint64_t{100'000}));
}

// Only what certainly did not happen, and only while nothing stands behind it that it could
// overtake in the end: a write changes places with anything, a read with a write.
bool Client::try_again(PendingRequest& asked, const Reply& reply, std::uint64_t now_us) {
  if (asked.op == Op::line) return false;
  const bool certain = reply.outcome == Outcome::no_leader ||
                       reply.outcome == Outcome::overloaded ||
                       reply.outcome == Outcome::shutting_down ||
                       (reply.outcome == Outcome::unavailable && asked.only_reads);
  if (!certain) return false;
  const bool overtaken =
      std::any_of(sent_.begin(), sent_.end(), [&asked](const PendingRequest& later) {
        return later.token != 0 && (!asked.only_reads || !later.only_reads);
      });
  const std::uint64_t pause_us = jittered(pause_after(asked.attempts));
  if (overtaken || now_us + pause_us >= asked.deadline_us) return false;
  ++asked.attempts;
  asked.not_before_us = now_us + pause_us;
  asked.refusal = reply;
  put_back(std::move(asked));
  return true;
}

void Client::finish(const PendingRequest& asked, Reply reply) {
  waiting_bytes_ -= asked.text.size();
  deadlines_.erase(deadlines_.find(asked.deadline_us));
  done_.push_back({asked.token, std::move(reply), asked.sent_on});
}

void Client::finish(const PendingRequest& asked, Outcome outcome, std::string message) {
  finish(asked, reply_of(outcome, std::move(message)));
}

// In a server's own words where it has some: who is missing, and since when.
std::string Client::why_no_leader(const std::string& failures) const {
  if (!no_leader_text_.empty()) return "no server knew a leader in time; " + no_leader_text_;
  return "no server knew a leader in time" +
         (failures.empty() ? std::string() : "; not answering: " + failures);
}

// Its time is up, and nothing happened.
void Client::finish_unsent(const PendingRequest& asked) {
  if (asked.refusal) return finish(asked, *asked.refusal);
  if (state_ == State::ready)
    return finish(asked, Outcome::overloaded, "it could not be sent in time");
  const bool tries = state_ == State::connecting || state_ == State::handshaking;
  const std::string failures = servers_.failures(tries ? &connection_->server : nullptr);
  if (no_leader_count_ > 0 && failures_ < servers_.size())
    return finish(asked, Outcome::no_leader, why_no_leader(failures));
  finish(asked, Outcome::no_server,
         "no server answered" + (failures.empty() ? std::string() : ": " + failures));
}

// --- time ----------------------------------------------------------------------------------------

void Client::on_time(std::uint64_t now_us) {
  expire(now_us);
  if (options_.connect_timeout_us > 0 && unreached_since_us_ != UINT64_MAX &&
      now_us - unreached_since_us_ >= options_.connect_timeout_us)
    give_up_connecting();
  if (connection_ && now_us >= attempt_until_us_) lose("it did not answer in time", now_us);
  if (state_ == State::no_leader && now_us >= look_again_us_ && !queue_.empty()) {
    look_again_us_ = UINT64_MAX;
    if (servers_.size() > 1 && asked_ == 0)
      switch_server(now_us);
    else
      ask_status(now_us);
  }
  settle(now_us);
}

void Client::expire(std::uint64_t now_us) {
  if (deadlines_.empty() || *deadlines_.begin() > now_us) return;
  for (PendingRequest& asked : std::exchange(queue_, {})) {
    if (asked.deadline_us > now_us)
      queue_.push_back(std::move(asked));
    else
      finish_unsent(asked);
  }
  bool hangs = false;
  for (PendingRequest& asked : std::exchange(sent_, {})) {
    if (asked.deadline_us > now_us) {
      sent_.push_back(std::move(asked));
      continue;
    }
    hangs = true;
    --asked_;
    if (!was_sent(asked))
      finish_unsent(asked);
    else if (asked.only_reads)
      finish(asked, Outcome::unavailable, server_name() + " did not answer in time");
    else
      finish(asked, Outcome::outcome_unknown,
             server_name() +
                 " did not answer in time: the write may take effect now, later or "
                 "never");
  }
  // It owes answers that nobody waits for any more, and those behind them would wait for these.
  if (hangs) lose("it did not answer in time", now_us);
}

void Client::give_up_connecting() {
  for (const PendingRequest& asked : std::exchange(queue_, {})) finish_unsent(asked);
  unreached_since_us_ = UINT64_MAX;
}

std::uint64_t Client::wake_at_us() const {
  std::uint64_t wake = deadlines_.empty() ? UINT64_MAX : *deadlines_.begin();
  if (connection_) wake = std::min(wake, attempt_until_us_);
  if (queue_.empty()) return wake;
  if (state_ == State::no_leader) wake = std::min(wake, look_again_us_);
  if (state_ == State::idle) wake = std::min(wake, retry_at_us_);
  if (state_ == State::ready && queue_.front().not_before_us > 0 &&
      outgoing().size() < max_out_bytes)
    wake = std::min(wake, queue_.front().not_before_us);
  if (options_.connect_timeout_us > 0 && unreached_since_us_ != UINT64_MAX)
    wake = std::min(wake, unreached_since_us_ + options_.connect_timeout_us);
  return wake;
}

}  // namespace zatt::client
