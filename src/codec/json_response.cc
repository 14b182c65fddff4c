// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/json_response.h"

#include <optional>
#include <vector>

#include "json/writer.h"
#include "kv/reply.h"

namespace zatt::codec {
namespace {

// Writes the members of one object: where a comma belongs is decided here alone.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) { out_.push_back('{'); }

  // `text` is JSON already.
  void text(std::string_view name, std::string_view text) {
    begin(name);
    out_.append(text);
  }
  void string(std::string_view name, std::string_view characters) {
    begin(name);
    json::append_string(out_, characters);
  }
  void number(std::string_view name, std::uint64_t number) {
    begin(name);
    json::append_uint(out_, number);
  }
  void boolean(std::string_view name, bool value) { text(name, value ? "true" : "false"); }

  // The name alone; the caller writes the value.
  void begin(std::string_view name) {
    if (!first_) out_.push_back(',');
    first_ = false;
    json::append_string(out_, name);
    out_.push_back(':');
  }
  void end() { out_.push_back('}'); }
  std::string& out() { return out_; }

 private:
  std::string& out_;
  bool first_ = true;
};

Members begin_line(std::string& out, std::string_view id, bool ok) {
  Members members(out);
  members.boolean("ok", ok);
  if (!id.empty()) members.text("id", id);
  return members;
}

void end_line(std::string& out, Members& members) {
  members.end();
  out.push_back('\n');
}

void write_present(Members& members, bool found, std::string_view value, std::uint64_t rev) {
  members.boolean("found", found);
  if (!found) return;
  members.text("value", value);
  members.number("rev", rev);
}

Members begin_error(std::string& out, std::string_view id, ErrorCode code,
                    std::string_view message) {
  Members members = begin_line(out, id, false);
  members.string("error", to_string(code));
  members.string("message", message);
  return members;
}

std::string_view refusal_message(const kv::Reply& reply) {
  switch (reply.outcome) {
    case kv::Outcome::not_an_integer:
      return "the value is not a 64-bit integer without fraction or exponent";
    case kv::Outcome::out_of_range:
      return "the sum would not fit into a signed 64-bit integer";
    case kv::Outcome::malformed:
      return "the command could not be read";
    case kv::Outcome::done:
    case kv::Outcome::condition_failed:
      break;
  }
  return reply.found ? "the condition in \"if\" does not hold for the key as it is"
                     : "the condition in \"if\" does not hold: the key does not exist";
}

// Answers whether the write was refused, and the line written.
bool write_refusal(std::string& out, std::string_view id, const kv::Reply& reply) {
  if (reply.outcome == kv::Outcome::done) return false;
  if (reply.outcome == kv::Outcome::malformed) {
    write_error(out, id, ErrorCode::bad_request, refusal_message(reply));
    return true;
  }
  Members members = begin_error(out, id, ErrorCode::condition_failed, refusal_message(reply));
  write_present(members, reply.found, reply.value, reply.rev);
  end_line(out, members);
  return true;
}

void write_item(std::string& out, const kv::Item& item, bool keys_only) {
  Members members(out);
  members.string("key", item.key);
  if (!keys_only) members.text("value", item.value);
  members.number("rev", item.rev);
  members.end();
}

// Appends items to a page. Answers whether the cursor has more than fitted.
bool write_items(std::string& out, kv::Machine::Cursor cursor, std::uint32_t limit,
                 bool keys_only) {
  const std::size_t begin = out.size();
  for (std::uint32_t count = 0; !cursor.at_end(); ++count, cursor.advance()) {
    if (count == limit) return true;
    const kv::Item item = cursor.item();
    const std::size_t before = out.size();
    // A long value is not copied only to be taken out again.
    const std::size_t least = item.key.size() + (keys_only ? 0 : item.value.size());
    if (count > 0 && before - begin + least > page_bytes) return true;
    if (count > 0) out.push_back(',');
    write_item(out, item, keys_only);
    if (count > 0 && out.size() - begin > page_bytes) {
      out.resize(before);
      return true;
    }
  }
  return false;
}

void write_member(std::string& out, const MemberStatus& member) {
  Members members(out);
  members.begin("address");
  out.push_back('[');
  json::append_string(out, member.address.host);
  out.push_back(',');
  json::append_uint(out, member.address.port);
  out.push_back(']');
  members.boolean("voter", member.voter);
  if (member.match_index) members.number("match_index", *member.match_index);
  members.boolean("connected", member.connected);
  if (!member.notice.empty()) members.string("notice", member.notice);
  members.end();
}

void write_members(std::string& out, const std::vector<MemberStatus>& all) {
  Members members(out);
  for (const MemberStatus& member : all) {
    members.begin(member.id);
    write_member(out, member);
  }
  members.end();
}

// What a write came to: after the condition's refusal, as its op has it.
void write_reply(std::string& out, const Request& request, const kv::Reply& reply) {
  if (write_refusal(out, request.id, reply)) return;
  Members members = begin_line(out, request.id, true);
  const kv::Op op = std::get<Write>(request.operation).op;
  if (op == kv::Op::del) members.boolean("found", reply.found);
  if (op == kv::Op::incr) members.text("value", reply.value);
  if (op != kv::Op::del || reply.found) members.number("rev", reply.rev);
  end_line(out, members);
}

void write_status(Members& members, const NodeStatus& status) {
  members.string("node", status.node);
  members.string("role", status.role);
  members.number("term", raw(status.term));
  if (status.leader)
    members.string("leader", *status.leader);
  else
    members.text("leader", "null");
  members.number("commit", raw(status.commit));
  members.number("applied", raw(status.applied));
  members.number("last", raw(status.last));
  members.number("snapshot", raw(status.snapshot));
  members.begin("members");
  write_members(members.out(), status.members);
  members.number("keys", status.keys);
  members.string("version", status.version);
  members.number("uptime_s", status.uptime_s);
  members.string("cluster", status.cluster);
  if (status.disk_is_full) members.string("disk", "full");
  if (!status.notice.empty()) members.string("notice", status.notice);
}

class ResponseWriter {
 public:
  ResponseWriter(const Request& request, std::string& out) : request_(request), out_(out) {}

  void operator()(const Done&) {
    Members members = begin();
    end_line(out_, members);
  }
  void operator()(const Failure& failure) {
    write_error(out_, request_.id, failure.code, failure.message);
  }
  void operator()(const Applied& applied) {
    if (const auto reply = kv::decode_reply(applied.reply))
      write_reply(out_, request_, *reply);
    else
      write_error(out_, request_.id, ErrorCode::outcome_unknown,
                  "the leader's answer cannot be read");
  }
  void operator()(const Found& found) {
    Members members = begin();
    const kv::Item item = found.item.value_or(kv::Item{});
    write_present(members, found.item.has_value(), item.value, item.rev);
    end_read(members);
  }
  void operator()(const Page& page) {
    const Scan& scan = std::get<Scan>(read().query);
    Members members = begin();
    members.begin("items");
    out_.push_back('[');
    const bool more = write_items(out_, page.cursor, scan.limit, scan.keys_only);
    out_.push_back(']');
    members.boolean("more", more);
    members.number("at", page.at);
    end_read(members);
  }
  void operator()(const Counted& counted) {
    Members members = begin();
    members.number("count", counted.count);
    members.number("at", counted.at);
    end_read(members);
  }
  void operator()(const std::unique_ptr<const NodeStatus>& status) {
    Members members = begin();
    write_status(members, *status);
    end_line(out_, members);
  }

 private:
  const Read& read() const { return std::get<Read>(request_.operation); }
  Members begin() { return begin_line(out_, request_.id, true); }
  void end_read(Members& members) {
    if (read().stale) members.boolean("stale", true);
    end_line(out_, members);
  }

  const Request& request_;
  std::string& out_;
};

}  // namespace

void write_error(std::string& out, std::string_view id, ErrorCode code, std::string_view message) {
  Members members = begin_error(out, id, code, message);
  end_line(out, members);
}

void write_json(const Request& request, const Response& response, std::string& out) {
  std::visit(ResponseWriter(request, out), response);
}

}  // namespace zatt::codec
