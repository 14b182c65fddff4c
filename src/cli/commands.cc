// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/commands.h"

#include <utility>

#include "cli/complaints.h"
#include "cli/judge.h"
#include "cli/text.h"
#include "cli/value.h"

namespace zatt::cli {
namespace {

// The condition, as zatt.h has it. `value` is what if_value borrows.
std::string add_condition(const Condition& condition, zatt_request& request, std::string& value) {
  switch (condition.kind) {
    case Option::if_absent:
      request.condition = ZATT_IF_ABSENT;
      return "";
    case Option::if_exists:
      request.condition = ZATT_IF_EXISTS;
      return "";
    case Option::if_rev:
      request.condition = ZATT_IF_REV;
      request.if_rev = condition.rev;
      return "";
    case Option::if_value:
      break;
    default:
      return "";
  }
  Judge judge;
  Value read = to_value(condition.value, ValueIs::guessed, true, [&judge](const std::string& text) {
    return judge.what_is_wrong_with(text);
  });
  if (!read.wrong.empty()) return "--if-value: " + read.wrong;
  value = std::move(read.json);
  request.condition = ZATT_IF_VALUE;
  request.if_value = bytes_of(value);
  return "";
}

// A write, asked, with its condition.
Reply write(Work& work, zatt_request request, const std::string& key) {
  request.key = bytes_of(key);
  std::string if_value;
  Reply reply;
  const std::string wrong = add_condition(work.arguments.condition, request, if_value);
  if (wrong.empty()) return work.session.ask(request);
  reply.error = ZATT_EINVAL;
  reply.message = wrong;
  return reply;
}

void add_line(Work& work, const std::string& line) {
  work.out.add(line);
  work.out.add("\n");
}

}  // namespace

Exit Work::fail(const Reply& reply, const std::string& what) {
  if (session.was_interrupted() && reply.error != ZATT_EUNKNOWN) return Exit::interrupted;
  if (reply.error == ZATT_EINVAL) return complain_usage(reply.message);
  if (arguments.json)
    add_line(*this, !reply.line.empty()
                        ? reply.line
                        : std::string("{\"ok\":false,\"error\":\"") + zatt_error_name(reply.error) +
                              "\",\"message\":" + quoted(reply.message) + "}");
  return complain_of(reply, what);
}

Exit Work::finish(Exit code) {
  if (out.flush()) return code;
  if (!out.why().empty()) complain(out.why());
  return code == Exit::unknown ? code : out.exit_code();
}

Exit run_get(Work& work) {
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  request.key = bytes_of(work.arguments.operands[0]);
  request.stale = work.arguments.stale ? 1 : 0;
  const Reply reply = work.session.ask(request);
  if (reply.error != ZATT_OK) return work.fail(reply);
  if (work.arguments.json)
    add_line(work, reply.line);
  else if (reply.found && reply.value)
    add_line(work, work.arguments.raw ? bare(*reply.value) : *reply.value);
  return reply.found ? Exit::done : Exit::no;
}

Exit run_set(Work& work) {
  const Source source = read_operand(work.arguments.operands[1]);
  if (!source.wrong.empty()) return complain_usage(source.wrong);
  Judge judge;
  const Value value =
      to_value(source.text, work.arguments.value_is, source.typed,
               [&judge](const std::string& text) { return judge.what_is_wrong_with(text); });
  if (!value.wrong.empty()) return complain_usage(value.wrong);
  zatt_request request = zatt_request_of(ZATT_OP_SET);
  request.value = bytes_of(value.json);
  const Reply reply = write(work, request, work.arguments.operands[0]);
  if (reply.error != ZATT_OK) return work.fail(reply);
  if (work.arguments.json) add_line(work, reply.line);
  return Exit::done;
}

// One after the other, and none after one whose outcome is not certain.
Exit run_del(Work& work) {
  Exit code = Exit::done;
  for (const std::string& key : work.arguments.operands) {
    const Reply reply = write(work, zatt_request_of(ZATT_OP_DELETE), key);
    const bool several = work.arguments.operands.size() > 1;
    if (reply.error != ZATT_OK) code = work.fail(reply, several ? shown_key(key) : std::string());
    if (reply.error == ZATT_OK && work.arguments.json) add_line(work, reply.line);
    if (reply.error == ZATT_OK && !reply.found) code = Exit::no;
    if (code > Exit::no) break;
  }
  return code;
}

Exit run_incr(Work& work) {
  zatt_request request = zatt_request_of(ZATT_OP_INCR);
  if (work.arguments.operands.size() > 1)
    request.by = to_integer(work.arguments.operands[1]).value_or(1);
  const Reply reply = write(work, request, work.arguments.operands[0]);
  if (reply.error != ZATT_OK) return work.fail(reply);
  add_line(work, work.arguments.json ? reply.line : std::to_string(reply.number));
  return Exit::done;
}

Exit run_count(Work& work) {
  zatt_request request = zatt_request_of(ZATT_OP_COUNT);
  if (!work.arguments.operands.empty()) request.prefix = bytes_of(work.arguments.operands[0]);
  request.stale = work.arguments.stale ? 1 : 0;
  const Reply reply = work.session.ask(request);
  if (reply.error != ZATT_OK) return work.fail(reply);
  add_line(work, work.arguments.json ? reply.line : std::to_string(reply.number));
  return Exit::done;
}

// A read that a leader has confirmed is the proof that there is one, and that it has a majority.
Exit run_wait(Work& work) {
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  request.key = zatt_str("");
  const Reply read = work.session.ask(request);
  if (read.error != ZATT_OK) return work.fail(read);
  if (!work.arguments.json) return Exit::done;
  const Reply status = work.session.ask(zatt_request_of(ZATT_OP_STATUS));
  if (status.error != ZATT_OK) return work.fail(status);
  add_line(work, status.line);
  return Exit::done;
}

}  // namespace zatt::cli
