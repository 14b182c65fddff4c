// SPDX-License-Identifier: AGPL-3.0-or-later
// raw: lines of the protocol in, replies out, in order, a reply a line.
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/lines.h"
#include "json/parse_error.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

constexpr std::size_t most_under_way = 1'000;
constexpr std::size_t most_bytes = 4 << 20;  // of requests, and of replies that nobody takes
constexpr int server_default_ms = 5'000;
constexpr int margin_ms = 1'000;
constexpr std::size_t max_depth = 128 + 2;  // a value, in a condition, in a request

// The text of the field's value; "" where the line is not an object that has it.
std::string field_in(std::string_view line, std::string_view name) {
  std::string text;
  const auto fault = json::diagnose(line, max_depth, [&](const json::Field& field) {
    if (field.name == name) text = field.value.text;
  });
  return fault.what.empty() ? text : "";
}

class Raw {
 public:
  explicit Raw(Context& context) : work_(context) {}

  Exit run() {
    if (const auto why = work_.session.open()) return work_.fail(*why);
    InputLoop input(work_, STDIN_FILENO,
                    {[this](auto number, const auto& line) { return take(number, line); },
                     [this] { return has_room(); },  //
                     [this] { return hand_out(); }});
    const Exit code = input.run();
    if (!input.why().empty()) print_error(input.why());
    say_what_failed();
    if (full_) worst_ = std::max(worst_, work_.code_of(*full_));
    if (code == Exit::interrupted) return unknown_.count > 0 ? Exit::unknown : code;
    // What was not done is the graver news.
    if (code == Exit::output_lost && worst_ > Exit::no) return worst_;
    return std::max(code, worst_);
  }

 private:
  // A request under way, or its reply, until it is its turn to be written.
  struct Slot {
    std::uint64_t number;
    std::string request;
    std::optional<std::string> reply;
  };

  bool take(std::uint64_t number, const LineCutter::Line& line) {
    if (line.text.empty()) return true;  // as the server does
    Slot& slot = slots_.emplace_back(Slot{number, std::string(line.text), std::nullopt});
    bytes_ += slot.request.size();
    zatt_request request = zatt_request_of(ZATT_OP_LINE);
    request.value = bytes_of(slot.request);
    request.timeout_ms = timeout_of(slot.request);
    const int error = line.too_long ? ZATT_ETOOLARGE
                                    : work_.session.send(request, [this, &slot](const auto& reply) {
                                        answer(slot, reply);
                                      });
    if (error == ZATT_OK) return true;
    zatt_reply refused{};
    refused.error = error;
    refused.message = line.too_long ? "the line is longer than any server takes"
                                    : work_.session.why_not_sent().message.c_str();
    answer(slot, refused);
    return true;
  }

  // The server's own word should come first.
  int timeout_of(const std::string& request) const {
    if (work_.arguments.timeout_given) return work_.arguments.timeout_ms;
    int ms = server_default_ms;
    if (request.find("timeout_ms") != std::string::npos)
      if (const auto own = to_number<std::uint64_t>(field_in(request, "timeout_ms")))
        ms = static_cast<int>(std::min<std::uint64_t>(*own, 600'000));
    return std::min(ms + margin_ms, 600'000);
  }

  bool has_room() const {
    return slots_.size() < most_under_way && bytes_ + work_.out.waiting() < most_bytes;
  }

  void answer(Slot& slot, const zatt_reply& reply) {
    if (reply.error == ZATT_ESTORAGEFULL)
      full_ = copy_of(reply);
    else
      worst_ = std::max(worst_, exit_of(reply.error));
    bytes_ -= slot.request.size();
    if (reply.line.data != nullptr) {
      slot.reply.emplace(reply.line.data, reply.line.size);
    } else {
      slot.reply = in_its_place(slot, reply);
      note(slot, reply);
    }
    bytes_ += slot.reply->size();
    slot.request.clear();
  }

  // What the server would have said, had it said it.
  static std::string in_its_place(const Slot& slot, const zatt_reply& reply) {
    std::string line = "{\"ok\":false";
    if (const std::string id = field_in(slot.request, "id"); !id.empty()) line += ",\"id\":" + id;
    return line + ",\"error\":\"" + zatt_error_name(reply.error) +
           "\",\"message\":" + json::string_text(reply.message) + "}";
  }

  void note(const Slot& slot, const zatt_reply& reply) {
    if (reply.error == ZATT_ENOSERVER) stopped_ = true;  // nor would the next one be answered
    Failure& failure = reply.error == ZATT_EUNKNOWN ? unknown_ : other_;
    if (failure.count++ > 0) return;
    failure.number = slot.number;
    failure.reply.error = reply.error;
    failure.reply.message = reply.message;
  }

  bool hand_out() {
    while (!slots_.empty() && slots_.front().reply) {
      bytes_ -= slots_.front().reply->size();
      work_.out.add(*slots_.front().reply);
      work_.out.add("\n");
      slots_.pop_front();
    }
    return !stopped_;
  }

  // What no server has said itself.
  void say_what_failed() const {
    for (const Failure* failure : {&other_, &unknown_}) {
      if (failure->count == 0 || failure->reply.error == ZATT_ECANCELED) continue;
      std::string what = "line " + std::to_string(failure->number);
      if (failure->count > 1) what += " and " + std::to_string(failure->count - 1) + " after it";
      print_error_of(failure->reply, what, exit_of(failure->reply.error));
    }
  }

  struct Failure {
    std::uint64_t count = 0;
    std::uint64_t number = 0;  // the first one's
    Reply reply;
  };

  Context& work_;
  std::deque<Slot> slots_;
  std::size_t bytes_ = 0;  // of requests and replies that wait
  bool stopped_ = false;
  Exit worst_ = Exit::done;
  Failure unknown_;
  Failure other_;
  std::optional<Reply> full_;  // the last: whether others have room is asked at the end
};

}  // namespace

Exit run_raw(Context& context) { return Raw(context).run(); }

}  // namespace zatt::cli
