// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/commands.h"

#include <utility>
#include <vector>

#include "cli/batch.h"
#include "cli/cluster_status.h"
#include "cli/errors.h"
#include "cli/json_validator.h"
#include "cli/look.h"
#include "cli/text.h"
#include "cli/value.h"
#include "json/writer.h"

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
  JsonValidator validator;
  Value read = to_value(
      condition.value, ValueIs::guessed, true,
      [&validator](const std::string& text) { return validator.what_is_wrong_with(text); });
  if (!read.wrong.empty()) return "--if-value: " + read.wrong;
  value = std::move(read.json);
  request.condition = ZATT_IF_VALUE;
  request.if_value = bytes_of(value);
  return "";
}

// A write with its condition, asked. The key is the request's.
Reply write(Context& context, zatt_request request) {
  std::string if_value;
  Reply reply;
  const std::string wrong = add_condition(context.arguments.condition, request, if_value);
  if (wrong.empty()) return context.session.ask(request);
  reply.error = ZATT_EINVAL;
  reply.message = wrong;
  return reply;
}

void add_line(Context& context, const std::string& line) {
  context.out.add(line);
  context.out.add("\n");
}

}  // namespace

Exit Context::fail(const Reply& reply, const std::string& what, Json json) {
  if (session.was_interrupted() && reply.error != ZATT_EUNKNOWN) return Exit::interrupted;
  if (reply.error == ZATT_EINVAL) return print_usage_error(reply.message);
  if (arguments.json && json == Json::a_line_each) add_json(reply);
  const Exit code = code_of(reply);
  print_error_of(reply, what, code);
  return code;
}

Exit Context::code_of(const Reply& reply) {
  constexpr int patience_ms = 1'000;
  if (reply.error != ZATT_ESTORAGEFULL) return exit_of(reply.error);
  if (!others_have_room) {
    const Look look = look_at_all(*arguments.servers, patience_ms, interrupts);
    others_have_room = can_take_writes(cluster_status_of(look.asked));
  }
  return *others_have_room ? Exit::try_again : Exit::refused;
}

void Context::add_json(const Reply& reply) {
  add_line(*this, !reply.line.empty()
                      ? reply.line
                      : std::string("{\"ok\":false,\"error\":\"") + zatt_error_name(reply.error) +
                            "\",\"message\":" + json::string_text(reply.message) + "}");
}

Exit Context::finish(Exit code) {
  if (out.flush()) return code;
  if (!out.why().empty()) print_error(out.why());
  // What was not done is the graver news.
  const bool was_done = code <= Exit::no;
  if (code == Exit::unknown || (!was_done && out.exit_code() == Exit::output_lost)) return code;
  return out.exit_code();
}

// One key: its value. Several: as scan shows them, those that are there.
Exit run_get(Context& context) {
  const Arguments& arguments = context.arguments;
  const bool several = arguments.operands.size() > 1;
  Batch batch(context, arguments.operands.size(), [&](const std::string& key, const Reply& reply) {
    if (arguments.json) {
      add_line(context, reply.line);
    } else if (reply.found && reply.value) {
      if (several) context.out.add(shown_key(key) + "\t");
      add_line(context, arguments.raw ? bare(*reply.value) : *reply.value);
    }
    return reply.found ? Exit::done : Exit::no;
  });
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  request.stale = arguments.stale ? 1 : 0;
  for (const std::string& key : arguments.operands) {
    request.key = bytes_of(key);
    if (!batch.send(request)) break;
  }
  return batch.end();
}

// Nothing is sent before every value has been found good.
Exit run_set(Context& context) {
  const auto& operands = context.arguments.operands;
  JsonValidator validator;
  std::vector<std::string> values;
  for (std::size_t i = 1; i < operands.size(); i += 2) {
    const Source source = read_operand(operands[i]);
    if (!source.wrong.empty()) return print_usage_error(source.wrong);
    Value value = to_value(
        source.text, context.arguments.value_is, source.typed && context.by_shell,
        [&validator](const std::string& text) { return validator.what_is_wrong_with(text); });
    const std::string of = operands.size() > 2 ? shown_key(operands[i - 1]) + ": " : std::string();
    if (!value.wrong.empty()) return print_usage_error(of + value.wrong);
    values.push_back(std::move(value.json));
  }
  zatt_request request = zatt_request_of(ZATT_OP_SET);
  std::string if_value;
  const std::string wrong = add_condition(context.arguments.condition, request, if_value);
  if (!wrong.empty()) return print_usage_error(wrong);
  Batch batch(context, values.size(), [&context](const std::string&, const Reply& reply) {
    if (context.arguments.json) add_line(context, reply.line);
    return Exit::done;
  });
  for (std::size_t i = 0; i < values.size(); ++i) {
    request.key = bytes_of(operands[2 * i]);
    request.value = bytes_of(values[i]);
    if (!batch.send(request)) break;
  }
  return batch.end();
}

Exit run_del(Context& context) {
  if (context.arguments.prefix) return run_del_prefix(context);
  zatt_request request = zatt_request_of(ZATT_OP_DELETE);
  std::string if_value;
  const std::string wrong = add_condition(context.arguments.condition, request, if_value);
  if (!wrong.empty()) return print_usage_error(wrong);
  const auto& keys = context.arguments.operands;
  Batch batch(context, keys.size(), [&context](const std::string&, const Reply& reply) {
    if (context.arguments.json) add_line(context, reply.line);
    return reply.found ? Exit::done : Exit::no;
  });
  for (const std::string& key : keys) {
    request.key = bytes_of(key);
    if (!batch.send(request)) break;
  }
  return batch.end();
}

Exit run_incr(Context& context) {
  zatt_request request = zatt_request_of(ZATT_OP_INCR);
  if (context.arguments.operands.size() > 1)
    request.by = to_integer(context.arguments.operands[1]).value_or(1);
  request.key = bytes_of(context.arguments.operands[0]);
  const Reply reply = write(context, request);
  if (reply.error != ZATT_OK) return context.fail(reply);
  add_line(context, context.arguments.json ? reply.line : std::to_string(reply.number));
  return Exit::done;
}

Exit run_count(Context& context) {
  zatt_request request = zatt_request_of(ZATT_OP_COUNT);
  if (!context.arguments.operands.empty()) request.prefix = bytes_of(context.arguments.operands[0]);
  request.stale = context.arguments.stale ? 1 : 0;
  const Reply reply = context.session.ask(request);
  if (reply.error != ZATT_OK) return context.fail(reply);
  add_line(context, context.arguments.json ? reply.line : std::to_string(reply.number));
  return Exit::done;
}

// A read that a leader has confirmed is the proof that there is one, and that it has a majority.
Exit run_wait(Context& context) {
  zatt_request request = zatt_request_of(ZATT_OP_GET);
  request.key = zatt_str("");
  const Reply read = context.session.ask(request);
  if (read.error != ZATT_OK) return context.fail(read);
  if (!context.arguments.json) return Exit::done;
  const Reply status = context.session.ask(zatt_request_of(ZATT_OP_STATUS));
  if (status.error != ZATT_OK) return context.fail(status);
  add_line(context, status.line);
  return Exit::done;
}

}  // namespace zatt::cli
