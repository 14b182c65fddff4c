// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/batch.h"

#include <algorithm>
#include <utility>

#include "cli/errors.h"
#include "cli/text.h"

namespace zatt::cli {
namespace {

constexpr std::size_t most_under_way = 500;
constexpr std::size_t most_bytes = 2 << 20;

}  // namespace

bool Batch::has_room() const { return under_way_.size() < most_under_way && bytes_ < most_bytes; }

bool Batch::send(const zatt_request& request) {
  while (!has_room() && !stopped_) {
    work_.session.turn({});
    take_answers();
  }
  if (stopped_) return false;
  std::string key(request.key.data, request.key.size);
  under_way_.push_back({key, request.key.size + request.value.size, std::nullopt});
  Slot& slot = under_way_.back();
  const int error = work_.session.send(
      request, [&slot](const zatt_reply& reply) { slot.reply = copy_of(reply); });
  if (error != ZATT_OK) slot.reply = work_.session.why_not_sent();
  if (error != ZATT_OK) stopped_ = true;
  bytes_ += slot.bytes;
  return !stopped_;
}

Exit Batch::drain() {
  take_answers();
  while (!under_way_.empty()) {
    work_.session.turn({});
    take_answers();
  }
  return worst_;
}

Exit Batch::end() {
  drain();
  if (worst_ > Exit::no && worst_ != Exit::interrupted && total_ > 1) print_error(how_far());
  return worst_;
}

void Batch::take_answers() {
  while (!under_way_.empty() && under_way_.front().reply) {
    const Slot slot = std::move(under_way_.front());
    under_way_.pop_front();
    bytes_ -= slot.bytes;
    take(slot.key, *slot.reply);
  }
  if (output_failed_ || work_.out.waiting() < most_bytes) return;
  output_failed_ = !work_.out.flush();  // finish() says so
  stopped_ = stopped_ || output_failed_;
}

void Batch::take(const std::string& key, const Reply& reply) {
  answered_ += reply.error == ZATT_OK ? 1 : 0;
  unknown_ += reply.error == ZATT_EUNKNOWN ? 1 : 0;
  if (reply.error == ZATT_OK) return count(on_answer_(key, reply));
  // Where the servers are gone, all that was under way fails alike: that is said once.
  if (worst_ > Exit::no) {
    if (work_.arguments.json && json_ == Json::a_line_each) work_.add_json(reply);
    return count(work_.session.was_interrupted() && reply.error != ZATT_EUNKNOWN
                     ? Exit::interrupted
                     : work_.code_of(reply));
  }
  count(work_.fail(reply, total_ > 1 ? shown_key(key) : std::string(), json_));
}

void Batch::count(Exit code) {
  stopped_ = stopped_ || code > Exit::no;
  if (worst_ == Exit::interrupted && code == Exit::unknown) worst_ = code;
  if (worst_ == Exit::unknown && code == Exit::interrupted) return;
  worst_ = std::max(worst_, code);
}

std::string Batch::how_far() const {
  std::string text = std::to_string(answered_) + " of " + std::to_string(total_) + " keys answered";
  if (unknown_ > 0) text += ", " + std::to_string(unknown_) + " unknown";
  return text + "; none of the others was changed";
}

}  // namespace zatt::cli
