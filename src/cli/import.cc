// SPDX-License-Identifier: AGPL-3.0-or-later
// import: what export wrote, a set a line.
//
// Lines are under way together, in order, and each is a write of its own. At the first that is not
// done no more are sent; what was sent is waited for, and counted.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/lines.h"
#include "cli/progress.h"
#include "cli/record.h"
#include "cli/text.h"

namespace zatt::cli {
namespace {

constexpr std::size_t most_under_way = 500;
constexpr std::size_t most_bytes = 2 << 20;

class Import {
 public:
  Import(Context& context, int fd, bool from_terminal)
      : work_(context),
        progress_("imported", !from_terminal),
        input_(context, fd,
               {[this](auto number, const auto& line) { return take(number, line); },
                [this] { return under_way_ < most_under_way && bytes_ < most_bytes; },
                [this] { return look(); }}) {
    struct stat about {};
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0)
      progress_.expect(static_cast<std::uint64_t>(about.st_size));
  }

  Exit run() {
    if (const auto why = work_.session.open()) return work_.fail(*why);
    const Exit code = input_.run();
    progress_.end();
    if (!input_.why().empty()) print_error(input_.why());
    if (code == Exit::interrupted && worst_ != Exit::unknown) {
      if (last_sent_ > 0) print_error(how_far());
      return code;
    }
    report();
    return std::max(worst_, code == Exit::interrupted ? Exit::done : code);
  }

 private:
  bool take(std::uint64_t number, const LineCutter::Line& line) {
    if (line.text.find_first_not_of(" \t") == std::string_view::npos) return true;
    if (line.too_long) return refuse(number, "it is longer than any server takes");
    Record record = to_record(line.text);
    if (!record.wrong.empty()) return refuse(number, record.wrong);
    zatt_request request = zatt_request_of(ZATT_OP_SET);
    request.key = bytes_of(record.key);
    request.value = {record.value.data(), record.value.size()};
    if (work_.arguments.condition.kind == Option::if_absent) request.condition = ZATT_IF_ABSENT;
    const std::size_t size = line.text.size();
    const int error = work_.session.send(
        request, [this, number, size](const zatt_reply& reply) { answer(number, size, reply); });
    if (error == ZATT_EINVAL) return refuse(number, work_.session.why_not_sent().message);
    if (error != ZATT_OK) {
      fail(number, work_.session.why_not_sent());
      return false;
    }
    last_sent_ = number;
    ++under_way_;
    bytes_ += size;
    return true;
  }

  bool refuse(std::uint64_t number, const std::string& why) {
    bad_line_ = "line " + std::to_string(number) + ": " + why;
    worst_ = std::max(worst_, Exit::wrong_usage);
    return false;
  }

  void answer(std::uint64_t number, std::size_t size, const zatt_reply& reply) {
    --under_way_;
    bytes_ -= size;
    if (reply.error == ZATT_OK)
      ++set_;
    else if (reply.error == ZATT_ECONDITION)
      ++kept_;
    else
      fail(number, copy_of(reply));
  }

  void fail(std::uint64_t number, const Reply& reply) {
    const bool is_unknown = reply.error == ZATT_EUNKNOWN;
    (is_unknown ? unknown_ : not_done_) += 1;
    if (reply.error == ZATT_ECANCELED) return;
    const bool full = reply.error == ZATT_ESTORAGEFULL;
    worst_ = std::max(worst_, full ? Exit::try_again : exit_of(reply.error));
    if (full) full_ = reply;
    if (failed_line_ != 0 && number > failed_line_) return;
    failed_line_ = number;
    failed_ = reply;
  }

  bool look() {
    progress_.show(input_.bytes_read(), set_ + kept_);
    return worst_ == Exit::done;
  }

  void report() {
    if (!bad_line_.empty()) print_error(bad_line_);
    if (full_) worst_ = std::max(worst_, work_.code_of(*full_));
    if (failed_line_ != 0)
      print_error_of(failed_, "line " + std::to_string(failed_line_), work_.code_of(failed_));
    if (worst_ != Exit::done) print_error(how_far());
    if (work_.arguments.json)
      work_.out.add("{\"set\":" + std::to_string(set_) + ",\"kept\":" + std::to_string(kept_) +
                    ",\"not_done\":" + std::to_string(not_done_) +
                    ",\"unknown\":" + std::to_string(unknown_) + "}\n");
    else if (worst_ == Exit::done)
      work_.out.add(how_many() + "\n");
  }

  std::string how_far() const {
    if (last_sent_ == 0) return "nothing was set";
    return "up to line " + std::to_string(last_sent_) + ": " + how_many() +
           "; nothing after it was sent";
  }
  std::string how_many() const {
    std::string text = keys_text(set_) + " set";
    if (work_.arguments.condition.kind == Option::if_absent)
      text += ", " + std::to_string(kept_) + " kept as they were";
    if (not_done_ > 0) text += ", " + std::to_string(not_done_) + " not set";
    if (unknown_ > 0) text += ", of " + std::to_string(unknown_) + " it is unknown";
    return text;
  }

  Context& work_;
  Progress progress_;
  InputLoop input_;
  std::size_t under_way_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t last_sent_ = 0;  // its number
  std::uint64_t set_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t not_done_ = 0;
  std::uint64_t unknown_ = 0;
  Exit worst_ = Exit::done;
  std::string bad_line_;
  std::uint64_t failed_line_ = 0;  // the first
  Reply failed_;
  std::optional<Reply> full_;  // no room: whether others have some is asked at the end
};

}  // namespace

Exit run_import(Context& context) {
  int fd = STDIN_FILENO;
  const auto& operands = context.arguments.operands;
  const bool file = !operands.empty() && operands[0] != "-";
  if (file) fd = open(operands[0].c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return print_usage_error(operands[0] + ": " + std::strerror(errno));
  const Exit code = Import(context, fd, isatty(fd) == 1).run();
  if (file) close(fd);
  return code;
}

}  // namespace zatt::cli
