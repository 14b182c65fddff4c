// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/request.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "json/value.h"
#include "json/writer.h"

namespace zatt::client {
namespace {

constexpr std::size_t max_value_depth = 128;

std::string_view op_name(Op op) {
  switch (op) {
    case Op::get:
      return "get";
    case Op::set:
      return "set";
    case Op::del:
      return "delete";
    case Op::incr:
      return "incr";
    case Op::scan:
      return "scan";
    case Op::count:
      return "count";
    case Op::status:
      return "status";
    case Op::ping:
    case Op::line:
      break;
  }
  return "ping";
}

bool is_read(std::string_view op) {
  constexpr std::string_view reads[] = {"get", "scan", "count", "status", "ping"};
  return std::find(std::begin(reads), std::end(reads), op) != std::end(reads);
}

Error invalid(std::string sentence) { return {Code::invalid, 0, "", std::move(sentence)}; }

// A value without quotes that was meant as a string, as hello, and neither broken JSON nor a
// number.
bool is_bare_text(std::string_view value, const json::ParseError& fault) {
  const std::size_t first = value.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  if (std::string_view("{[\"',:}]+.").find(value[first]) != std::string_view::npos) return false;
  return fault.what.starts_with("a value expected") || fault.what == ", or } expected";
}

// The text as a JSON string, cut to what a line of a message has room for.
std::string quoted_in_brief(std::string_view text) {
  const std::string_view shown = utf8_prefix(text, 40);
  return json::string_text(std::string(shown) + (shown.size() < text.size() ? "…" : ""));
}

// A text for a Reader, with the slack it wants.
std::string_view with_slack(std::string& text) {
  const std::size_t size = text.size();
  text.reserve(size + json::slack);
  return {text.data(), size};
}

}  // namespace

Result<std::string> RequestWriter::begin(const Request& request) {
  if (request.op == Op::line) {
    if (request.value.find('\n') != std::string::npos) return invalid("a request is one line");
    if (request.value.empty() || request.value == "\r")
      return invalid("an empty line is not a request");
    return request.value;
  }
  std::string line = "{\"op\":\"" + std::string(op_name(request.op)) + '"';
  if (const Status fields = append_fields(line, request); !fields) return fields.error();
  return line;
}

void RequestWriter::end(std::string& line, Op op, std::uint32_t timeout_ms) {
  if (op != Op::line) {
    line += ",\"timeout_ms\":";
    json::append_uint(line, timeout_ms);
    line += '}';
  }
  line += '\n';
}

Status RequestWriter::append_fields(std::string& out, const Request& request) {
  switch (request.op) {
    case Op::get:
      if (Status key = append_text(out, "key", request.key); !key) return key;
      break;
    case Op::set:
    case Op::del:
    case Op::incr:
      if (Status key = append_text(out, "key", request.key); !key) return key;
      if (request.op == Op::set) {
        if (Status value = append_value(out, "value", request.value); !value) return value;
      } else if (request.op == Op::incr) {
        out += ",\"by\":";
        json::append_int(out, request.by);
      }
      return append_condition(out, request.condition);
    case Op::scan:
    case Op::count:
      if (request.prefix.empty()) break;
      if (Status prefix = append_text(out, "prefix", request.prefix); !prefix) return prefix;
      break;
    case Op::status:
    case Op::ping:
    case Op::line:
      return ok;
  }
  if (request.op == Op::scan) {
    if (request.after)
      if (Status after = append_text(out, "after", *request.after); !after) return after;
    if (request.limit > 0) {
      out += ",\"limit\":";
      json::append_uint(out, request.limit);
    }
    if (request.keys_only) out += ",\"keys_only\":true";
  }
  if (request.stale) out += ",\"stale\":true";
  return ok;
}

Status RequestWriter::append_condition(std::string& out, const Condition& condition) {
  switch (condition.kind) {
    case Condition::Kind::none:
      return ok;
    case Condition::Kind::absent:
      out += ",\"if\":{\"exists\":false}";
      return ok;
    case Condition::Kind::exists:
      out += ",\"if\":{\"exists\":true}";
      return ok;
    case Condition::Kind::rev:
      out += ",\"if\":{\"rev\":";
      json::append_uint(out, condition.rev);
      out += '}';
      return ok;
    case Condition::Kind::value:
      break;
  }
  std::string value;
  if (const Status good = append_value(value, "value", condition.value); !good)
    return invalid("if: " + good.error().detail);
  out += ",\"if\":{";
  out.append(value, 1);  // without its comma
  out += '}';
  return ok;
}

// A field that is a string: what is left to check is that the characters are UTF-8.
Status RequestWriter::append_text(std::string& out, std::string_view field,
                                  std::string_view characters) {
  scratch_ = "{\"v\":";
  json::append_string(scratch_, characters);
  scratch_ += '}';
  if (reader_.read(with_slack(scratch_), 1, [](const json::Field&) {}))
    return invalid(std::string(field) + " is not UTF-8 text");
  out += ",\"";
  out += field;
  out += "\":";
  out.append(scratch_, 5, scratch_.size() - 6);
  return ok;
}

Status RequestWriter::append_value(std::string& out, std::string_view field,
                                   std::string_view text) {
  constexpr std::string_view open = "{\"v\":";
  scratch_ = open;
  scratch_ += text;
  scratch_ += '}';
  std::size_t fields = 0;
  json::Value value;
  auto fault = reader_.read(with_slack(scratch_), max_value_depth + 1,
                            [&fields, &value](const json::Field& each) {
                              ++fields;
                              value = each.value;
                            });
  if (!fault && fields != 1) fault = json::ParseError{open.size(), "more than one value"};
  if (fault) {
    fault->offset -= std::min(fault->offset, open.size());
    return not_json(field, text, *fault);
  }
  out += ",\"";
  out += field;
  out += "\":";
  std::string compacted;
  out += json::compact(value, compacted);
  return ok;
}

Error RequestWriter::not_json(std::string_view field, std::string_view text,
                              const json::ParseError& fault) {
  if (is_bare_text(text, fault)) {
    const std::string quoted = quoted_in_brief(text);
    scratch_ = "{\"v\":" + quoted + '}';
    const bool is_text = !reader_.read(with_slack(scratch_), 1, [](const json::Field&) {});
    if (is_text) return invalid("JSON text expected: " + quoted + " with its quotes");
  }
  return invalid(std::string(field) + " is not JSON: " + json::at_byte(fault));
}

bool RequestWriter::only_reads(const Request& request) {
  if (request.op != Op::line)
    return request.op != Op::set && request.op != Op::del && request.op != Op::incr;
  scratch_ = request.value;
  bool reads = false;
  const auto fault =
      reader_.read(with_slack(scratch_), max_value_depth + 2, [&reads](const json::Field& field) {
        if (field.name == "op")
          reads =
              field.value.type == json::Type::string && is_read(json::unescaped(field.value.text));
      });
  return !fault && reads;
}

}  // namespace zatt::client
