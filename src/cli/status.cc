// SPDX-License-Identifier: AGPL-3.0-or-later
// status and members: how the cluster is. status asks each member itself, all at the same time.
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "base/text.h"
#include "cli/cluster_status.h"
#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/look.h"
#include "cli/table.h"
#include "cli/text.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

constexpr int patience_ms = 1'000;  // with one server

// A voter of whom something is to be said has lost its directory: it learns, and does not count.
std::string role_of(const MemberView& member, bool leads) {
  return leads ? "leader" : member.voter && member.notice.empty() ? "voter" : "learner";
}

std::vector<std::string> notices_of(const MemberView& member) {
  if (member.notice.empty()) return {};
  return {member.notice};
}

bool wants_colour(const Output& out) {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return out.is_terminal() && (no_colour == nullptr || *no_colour == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

// One look: what it shows is added to the output.
Exit look_once(Context& context, std::string_view title) {
  const Arguments& arguments = context.arguments;
  const int timeout_ms =
      arguments.timeout_given ? arguments.timeout_ms : std::min(arguments.timeout_ms, patience_ms);
  const Look look = look_at_all(*arguments.servers, timeout_ms, context.interrupts);
  if (!look.wrong.empty()) return print_usage_error(look.wrong);
  if (look.interrupted) return Exit::interrupted;
  const ClusterStatus status = cluster_status_of(look.asked);
  if (!arguments.json) context.out.add(title);
  context.out.add(arguments.json ? json_of(status) : table_of(status, wants_colour(context.out)));
  if (!status.quorum) return Exit::try_again;
  return status.whole ? Exit::done : Exit::no;
}

// "2", "0.5"
std::string shown_seconds(int ms) {
  std::string text = std::to_string(ms / 1'000);
  std::string part = std::to_string(1'000 + ms % 1'000).substr(1);
  part.erase(part.find_last_not_of('0') + 1);
  return part.empty() ? text : text + "." + part;
}

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32] = "";
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

// False: ^C, or the reader of a pipe is gone.
bool wait_for_next(const Context& context, int ms) {
  pollfd polled[] = {{context.interrupts.fd(), POLLIN, 0}, {context.out.fd(), 0, 0}};
  poll(polled, 2, ms);
  return context.interrupts.caught() == 0 && (polled[1].revents & (POLLERR | POLLHUP)) == 0;
}

// Until ^C, which ends it with what the last look was worth.
Exit watch(Context& context) {
  constexpr std::string_view clear_all = "\x1b[H\x1b[2J";
  const bool redraws = context.out.is_terminal() && !context.arguments.json;
  Exit last = Exit::interrupted;
  for (bool first = true;; first = false) {
    std::string title = redraws ? std::string(clear_all) : std::string(first ? "" : "\n");
    title +=
        local_time() +
        (redraws ? ", every " + shown_seconds(context.arguments.watch_ms) + " s until ^C\n" : "\n");
    const Exit code = look_once(context, title);
    if (code == Exit::wrong_usage) return code;
    if (code != Exit::interrupted) last = code;
    if (!context.out.flush() || context.interrupts.caught() != 0) break;
    if (!wait_for_next(context, context.arguments.watch_ms)) break;
  }
  if (context.interrupts.caught() == 0)
    return context.out.failed() ? context.out.exit_code() : Exit::closed_pipe;
  return context.interrupts.caught() == SIGINT ? last : Exit::interrupted;
}

}  // namespace

Exit run_status(Context& context) {
  context.interrupts.arm();
  return context.arguments.watch_ms > 0 ? watch(context) : look_once(context, "");
}

Exit run_members(Context& context) {
  const Reply reply = context.session.ask(zatt_request_of(ZATT_OP_STATUS));
  if (reply.error != ZATT_OK) return context.fail(reply);
  const auto answer = to_answer(reply.line);
  if (!answer) {
    print_error("the server does not answer as zatt does");
    return Exit::refused;
  }
  std::size_t id_width = 0;
  std::size_t address_width = 0;
  for (const MemberView& member : answer->members) {
    id_width = std::max(id_width, utf8_count(printable(member.id)));
    address_width = std::max(address_width, utf8_count(printable(member.address)));
  }
  for (const MemberView& member : answer->members) {
    const bool leads = member.id == answer->leader;
    if (context.arguments.json) {
      context.out.add("{\"id\":" + json::string_text(member.id) +
                      ",\"address\":" + json::string_text(member.address) +
                      ",\"voter\":" + (member.voter ? "true" : "false") +
                      ",\"leader\":" + (leads ? "true" : "false") + "," +
                      json_of_notices(notices_of(member)) + "}\n");
      continue;
    }
    context.out.add(padded(printable(member.id), id_width) + "  " +
                    padded(printable(member.address), address_width) + "  " +
                    role_of(member, leads) +
                    (member.notice.empty() ? "" : "  " + printable(member.notice)) + "\n");
  }
  return Exit::done;
}

}  // namespace zatt::cli
