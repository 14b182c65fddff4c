// SPDX-License-Identifier: AGPL-3.0-or-later
#include "codec/json_request.h"

#include <doctest/doctest.h>

#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "kv/command.h"

namespace zatt::codec {
namespace {

const std::string served = "; served are ping, status, get, scan, count, set, delete, incr";
const std::string elsewhere = "; " + std::string(how_to_ask);

enum class RequestOp { ping, status, get, scan, count, set, del, incr };

bool is_write(RequestOp op) { return op >= RequestOp::set; }

// A request with all that an operation may have, side by side.
struct Taken {
  RequestOp op = RequestOp::ping;
  std::string id;
  std::uint32_t timeout_ms = 0;
  bool stale = false;
  std::string key, prefix;
  std::optional<std::string> after;
  std::uint32_t limit = 1000;
  bool keys_only = false;
  std::string command;
};

struct Flattener {
  Taken& out;
  void operator()(const Ping&) { out.op = RequestOp::ping; }
  void operator()(const GetStatus&) { out.op = RequestOp::status; }
  void operator()(const Get& get) { out.op = RequestOp::get, out.key = get.key; }
  void operator()(const Count& count) { out.op = RequestOp::count, out.prefix = count.prefix; }
  void operator()(const Scan& scan) {
    out.op = RequestOp::scan, out.prefix = scan.prefix, out.after = scan.after;
    out.limit = scan.limit, out.keys_only = scan.keys_only;
  }
  void operator()(const Read& read) {
    out.stale = read.stale;
    std::visit(*this, read.query);
  }
  void operator()(const Write& write) {
    constexpr RequestOp ops[] = {RequestOp::set, RequestOp::del, RequestOp::incr};
    out.op = ops[static_cast<int>(write.op) - 1];
    out.command = write.command;
  }
  void operator()(const Proposal&) { FAIL("a line is no proposal"); }
  void operator()(const Barrier&) { FAIL("a line is no barrier"); }
  void operator()(const Malformed& malformed) { FAIL(malformed.failure.message); }
};

struct Refusal {
  ErrorCode code;
  std::string message;
  std::string id;
};

Request parse(JsonRequestParser& parser, std::string_view line) {
  // Exactly the slack, so that a sanitizer sees a step beyond it.
  std::vector<char> buffer(line.begin(), line.end());
  buffer.resize(line.size() + line_slack, '}');
  return parser.parse({buffer.data(), line.size()});
}

bool is_malformed(const Request& request) {
  return std::holds_alternative<Malformed>(request.operation);
}

Taken flat(const Request& request) {
  Taken out;
  out.id = request.id;
  out.timeout_ms = request.timeout_ms;
  std::visit(Flattener{out}, request.operation);
  return out;
}

Taken taken(std::string_view line) {
  JsonRequestParser parser;
  CAPTURE(line);
  return flat(parse(parser, line));
}

Refusal refused(std::string_view line) {
  JsonRequestParser parser;
  const Request request = parse(parser, line);
  CAPTURE(line);
  REQUIRE(is_malformed(request));
  const auto& malformed = std::get<Malformed>(request.operation);
  return {malformed.failure.code, malformed.failure.message, request.id};
}

std::string message(std::string_view line) {
  const Refusal refusal = refused(line);
  CHECK(refusal.code == ErrorCode::bad_request);
  return refusal.message;
}

// What the log will hold of a write.
struct Written {
  explicit Written(std::string_view line) : request(taken(line)) {
    const std::optional<kv::Command> decoded = kv::decode_command(request.command);
    REQUIRE(decoded);
    command = *decoded;
  }
  Taken request;
  kv::Command command;
};

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST_CASE("request: what every op takes") {
  CHECK(taken(R"({"op":"ping"})").op == RequestOp::ping);
  CHECK(taken(R"({"op":"status"})").op == RequestOp::status);
  CHECK(taken(R"({"op":"ping"})").timeout_ms == 5000);
  CHECK(taken(R"({"op":"ping"})").id.empty());
  CHECK(taken(R"({"op":"ping","timeout_ms":1})").timeout_ms == 1);
  CHECK(taken(R"({"timeout_ms":600000,"op":"ping"})").timeout_ms == 600000);
  CHECK(taken("\t{ \"op\" : \"ping\" } \r").op == RequestOp::ping);
  CHECK(taken(R"({"\u006fp":"p\u0069ng"})").op == RequestOp::ping);
  for (const char* value :
       {"0", "600001", "-1", "1.0", "1e3", "\"5\"", "null", "18446744073709551617"})
    CHECK(message(std::string(R"({"op":"ping","timeout_ms":)") + value + "}") ==
          "field \"timeout_ms\" must be an integer from 1 to 600000");
}

TEST_CASE("request: an id comes back as it came") {
  const std::string longest = "\"" + std::string(256, 'x') + "\"";
  const std::string escaped = [] {
    std::string text = "\"";
    for (int i = 0; i < 256; ++i) text += "\\u0041";
    return text + "\"";
  }();
  for (const std::string& id :
       {std::string("7"), std::string("-9223372036854775808"), std::string("18446744073709551615"),
        std::string("-0"), std::string(R"("")"), std::string(R"("a\u0041\"")"), longest, escaped}) {
    CHECK(taken(R"({"id":)" + id + R"(,"op":"ping"})").id == id);
    CHECK(refused(R"({"id": )" + id + R"( ,"op":"pong"})").id == id);
  }
  const std::string too_long = "\"" + std::string(257, 'x') + "\"";
  const std::string euros = [] {
    std::string text = "\"";
    for (int i = 0; i < 86; ++i) text += "\\u20ac";  // 258 bytes
    return text + "\"";
  }();
  for (const std::string& id :
       {std::string("null"), std::string("true"), std::string("1.0"), std::string("1e3"),
        std::string("[]"), std::string("{}"), std::string("18446744073709551616"),
        std::string("-9223372036854775809"), too_long, euros}) {
    const Refusal refusal = refused(R"({"op":"ping","id":)" + id + "}");
    CHECK(refusal.message ==
          "field \"id\" must be a string of at most 256 bytes or a 64-bit integer");
    CHECK(refusal.id.empty());
  }
}

TEST_CASE("request: a refusal carries the id wherever it stands") {
  const char* const lines[] = {
      R"({"id":"me","op":"get","kye":"a"})",
      R"({"op":"get","kye":"a","id":"me"})",
      R"({"op":"get","op":"get","id":"me"})",
      R"({"op":7,"id":"me"})",
      R"({"op":"watch","id":"me"})",
      R"({"op":"set","key":5,"value":1,"id":"me"})",
      R"({"id":"me"})",
      R"({"id":"me","op":truu})",
      R"({"id":"me","op":"get","key":"\ud800"})",
      "{\"id\":\"me\",\"op\":\"get\",\"key\":\"\xff\"}",
      R"({"id":"me","op":"ping"} {})",
      R"({"id":"me","op":"ping")",
      R"({"a":1,"i\u0064":"me"})",
  };
  for (const char* line : lines) {
    CAPTURE(line);
    CHECK(refused(line).id == "\"me\"");
  }
  CHECK(refused(R"({op:ping,"id":"me"})").id.empty());
}

TEST_CASE("request: get, scan and count") {
  CHECK(taken(R"({"op":"get","key":"a\u0000b"})").key == std::string("a\0b", 3));
  CHECK(taken(R"({"op":"get","key":""})").key.empty());
  CHECK_FALSE(taken(R"({"op":"get","key":"a"})").stale);
  CHECK(taken(R"({"op":"get","key":"a","stale":true})").stale);
  CHECK_FALSE(taken(R"({"op":"get","key":"a","stale":false})").stale);
  CHECK(message(R"({"op":"get"})") == "field \"key\" is missing");
  CHECK(message(R"({"op":"get","key":5})") == "field \"key\" must be a string");
  CHECK(message(R"({"op":"get","key":null})") == "field \"key\" must be a string");
  CHECK(message(R"({"op":"get","key":"a","stale":1})") == "field \"stale\" must be true or false");

  const Taken plain = taken(R"({"op":"scan"})");
  CHECK(plain.op == RequestOp::scan);
  CHECK(plain.prefix.empty());
  CHECK_FALSE(plain.after);
  CHECK(plain.limit == 1000);
  CHECK_FALSE(plain.keys_only);
  const Taken full = taken(
      R"({"op":"scan","prefix":"\u00e9","after":"","limit":10000,"keys_only":true,"stale":true})");
  CHECK(full.prefix == "\xc3\xa9");
  CHECK(full.after == "");
  CHECK(full.limit == 10000);
  CHECK(full.keys_only);
  CHECK(full.stale);
  CHECK(taken(R"({"op":"scan","limit":1})").limit == 1);
  for (const char* limit : {"0", "10001", "-1", "1.0", "1e2", "\"1\""})
    CHECK(message(std::string(R"({"op":"scan","limit":)") + limit + "}") ==
          "field \"limit\" must be an integer from 1 to 10000");
  CHECK(message(R"({"op":"scan","after":1})") == "field \"after\" must be a string");
  CHECK(message(R"({"op":"scan","keys_only":"yes"})") ==
        "field \"keys_only\" must be true or false");

  CHECK(taken(R"({"op":"count"})").prefix.empty());
  CHECK(taken(R"({"op":"count","prefix":"a","stale":true})").prefix == "a");
  CHECK(message(R"({"op":"count","prefix":[]})") == "field \"prefix\" must be a string");
}

TEST_CASE("request: a set keeps the value's text, whitespace between tokens aside") {
  const Written set(
      R"({"op":"set","key":"k","value": { "a b" : [ 1.0 , 1e400,"x  y" ] , "a b":2} })");
  CHECK(set.request.op == RequestOp::set);
  CHECK(set.command.op == kv::Op::set);
  CHECK(set.command.key == "k");
  CHECK(set.command.value == R"({"a b":[1.0,1e400,"x  y"],"a b":2})");
  CHECK(set.command.condition.kind == kv::Condition::Kind::none);
  for (const char* value :
       {"null", "true", "-0", "1.0", "1e5", "1e-400", "1267650600228229401496703205376",
        R"("é\u00e9\/")", R"([])", R"({"":{}})", R"(["\ud83d\ude00"])", "\"\xe2\x80\xa8\""}) {
    CAPTURE(value);
    const Written once(std::string(R"({"op":"set","key":"k","value":)") + value + "}");
    CHECK(once.command.value == value);
    // Whatever is printed can be sent again, and is the same.
    const Written again(R"({"op":"set","value":)" + std::string(once.command.value) +
                        R"(,"key":"k"})");
    CHECK(again.request.command == once.request.command);
  }
  CHECK(message(R"({"op":"set","key":"k"})") == "field \"value\" is missing");
  CHECK(message(R"({"op":"set","value":1})") == "field \"key\" is missing");
}

TEST_CASE("request: keys are at most 4096 bytes once unescaped") {
  const std::string at(4096, 'k');
  CHECK(Written(R"({"op":"set","value":1,"key":")" + at + "\"}").command.key == at);
  CHECK(taken(R"({"op":"get","key":")" + at + "\"}").key == at);
  std::string escaped;
  for (int i = 0; i < 4096; ++i) escaped += "\\u006b";
  CHECK(taken(R"({"op":"get","key":")" + escaped + "\"}").key == at);
  for (const char* field :
       {R"("op":"get","key")", R"("op":"set","value":1,"key")", R"("op":"scan","prefix")",
        R"("op":"scan","after")", R"("op":"count","prefix")", R"("op":"delete","key")"}) {
    const Refusal refusal = refused("{\"id\":1," + std::string(field) + ":\"" + at + "k\"}");
    CHECK(refusal.code == ErrorCode::too_large);
    CHECK(refusal.message.find("has 4097 bytes; a key has at most 4096") != std::string::npos);
    CHECK(refusal.id == "1");
  }
}

TEST_CASE("request: delete and incr") {
  CHECK(Written(R"({"op":"delete","key":"k"})").command.op == kv::Op::del);
  CHECK(Written(R"({"op":"incr","key":"k"})").command.op == kv::Op::incr);
  CHECK(Written(R"({"op":"incr","key":"k"})").command.by == 1);
  CHECK(Written(R"({"op":"incr","key":"k","by":-9223372036854775808})").command.by == INT64_MIN);
  CHECK(Written(R"({"op":"incr","key":"k","by":9223372036854775807})").command.by == INT64_MAX);
  CHECK(Written(R"({"op":"incr","key":"k","by":0})").command.by == 0);
  for (const char* by :
       {"1.0", "1e2", "9223372036854775808", "-9223372036854775809", "\"1\"", "null"})
    CHECK(message(std::string(R"({"op":"incr","key":"k","by":)") + by + "}") ==
          "field \"by\" must be a signed 64-bit integer without fraction or exponent");
}

TEST_CASE("request: conditions") {
  using Kind = kv::Condition::Kind;
  const auto condition = [](const std::string& text) {
    const Written write(R"({"op":"set","key":"k","value":0,"if":)" + text + "}");
    const kv::Condition& c = write.command.condition;
    return std::to_string(static_cast<int>(c.kind)) + (c.exists ? " exists " : " ") +
           std::to_string(c.rev) + " " + std::string(c.value);
  };
  static_assert(static_cast<int>(Kind::exists) == 1);
  CHECK(condition(R"({"exists":true})") == "1 exists 0 ");
  CHECK(condition(R"({"exists" : false })") == "1 0 ");
  CHECK(condition(R"({"rev":0})") == "2 0 ");
  CHECK(condition(R"({"rev":18446744073709551615})") == "2 18446744073709551615 ");
  CHECK(condition(R"({"value":"a  b"})") == "3 0 \"a  b\"");
  CHECK(condition(R"({ "value" : [ 1.0, { "a" : null } ] })") == R"(3 0 [1.0,{"a":null}])");
  CHECK(condition(R"({"v\u0061lue":null})") == "3 0 null");
  for (const char* op : {"delete", "incr"})
    CHECK(Written(std::string(R"({"op":")") + op + R"(","key":"k","if":{"rev":7}})")
              .command.condition.rev == 7);

  const auto wrong = [](const std::string& text) {
    return message(R"({"op":"set","key":"k","value":0,"if":)" + text + "}");
  };
  const std::string one_of =
      "field \"if\" must be an object with exactly one of \"exists\", \"rev\", \"value\"";
  CHECK(wrong("{}") == one_of);
  CHECK(wrong("7") == one_of);
  CHECK(wrong("[]") == one_of);
  CHECK(wrong("null") == one_of);
  CHECK(wrong(R"({"rev":1,"exists":true})") == one_of);
  CHECK(wrong(R"({"rev":1,"rev":1})") == one_of);
  CHECK(wrong(R"({"exist":true})") ==
        "unknown condition \"exist\" in field \"if\"; did you mean \"exists\"?");
  CHECK(wrong(R"({"exists":1})") == "field \"if.exists\" must be true or false");
  for (const char* rev : {"-1", "1.0", "1e2", "18446744073709551616", "\"1\"", "null"})
    CHECK(wrong(std::string(R"({"rev":)") + rev + "}").starts_with("field \"if.rev\" must be a"));
}

TEST_CASE("request: values are nested 128 deep at most, in a condition too") {
  const std::string deep = nested(128);
  CHECK(Written(R"({"op":"set","key":"k","value":)" + deep + "}").command.value == deep);
  CHECK(
      Written(R"({"op":"delete","key":"k","if":{"value":)" + deep + "}}").command.condition.value ==
      deep);
  CHECK(message(R"({"op":"set","key":"k","value":)" + nested(129) + "}") ==
        "field \"value\" is nested deeper than 128 levels");
  CHECK(message(R"({"op":"delete","key":"k","if":{"value":)" + nested(129) + "}}") ==
        "byte 168: nested too deep");
  CHECK(message(R"({"op":"set","key":"k","value":)" + nested(1000000) + "}") ==
        "byte 160: nested too deep");
  CHECK(message(std::string(1000000, '[')) ==
        "byte 1: an object expected, beginning with {" + elsewhere);
}

TEST_CASE("request: names that nobody knows, and what was probably meant") {
  CHECK(message(R"({"op":"gte","key":"a"})") ==
        "unknown op \"gte\"; did you mean \"get\"?" + served);
  CHECK(message(R"({"op":"del","key":"a"})") ==
        "unknown op \"del\"; did you mean \"delete\"?" + served);
  CHECK(message(R"({"op":"frobnicate"})") == "unknown op \"frobnicate\"" + served);
  CHECK(message(R"({"op":""})") == "unknown op \"\"" + served);
  CHECK(message(R"({"op":["get"]})") == "field \"op\" must be a string");
  CHECK(message(R"({"key":"a"})") == "field \"op\" is missing" + served);
  CHECK(message("{}") == "field \"op\" is missing" + served);
  CHECK(message(R"({"opp":"get"})") == "unknown field \"opp\"; did you mean \"op\"?");
  CHECK(message(R"({"op":"set","key":"a","vlaue":1})") ==
        "unknown field \"vlaue\"; did you mean \"value\"?");
  CHECK(message(R"({"op":"ping","vlaue":1})") == "unknown field \"vlaue\"");
  CHECK(message(R"({"op":"get","key":"a","value":1})") == "op \"get\" takes no field \"value\"");
  CHECK(message(R"({"op":"ping","key":"a"})") == "op \"ping\" takes no field \"key\"");
  CHECK(message(R"({"op":"set","key":"a","value":1,"stale":true})") ==
        "op \"set\" takes no field \"stale\"");
  CHECK(message(R"({"op":"delete","key":"a","value":1})") ==
        "op \"delete\" takes no field \"value\"");
  CHECK(message(R"({"op":"scan","key":"a"})") == "op \"scan\" takes no field \"key\"");
  CHECK(message(R"({"op":"count","limit":1})") == "op \"count\" takes no field \"limit\"");
  CHECK(message(R"({"op":"get","key":"a","key":"b"})") == "duplicate field \"key\"");
  CHECK(message(R"({"op":"get","key":"a","k\u0065y":"a"})") == "duplicate field \"key\"");
  const std::string long_name(1000000, 'x');
  CHECK(message("{\"op\":\"get\",\"" + long_name + "\":1}").size() < 120);
  CHECK(message("{\"op\":\"" + long_name + "\"}").size() < 120 + served.size());
}

TEST_CASE("request: what comes later is named") {
  for (const char* op : {"txn", "touch", "open_session", "close_session", "watch", "unwatch",
                         "add_member", "remove_member", "transfer_leader", "snapshot"})
    CHECK(message(std::string(R"({"op":")") + op + R"(","whatever":[1]})") ==
          std::string(op) + " is not served by this version");
  CHECK(message(R"({"op":"set","key":"a","value":1,"ttl":5})") ==
        "ttl is not served by this version");
  CHECK(message(R"({"op":"delete","key":"a","session":1,"seq":1})") ==
        "session is not served by this version");
  CHECK(message(R"({"op":"incr","key":"a","seq":1})") == "seq is not served by this version");
  CHECK(message(R"({"op":"get","key":"a","ttl":5})") == "op \"get\" takes no field \"ttl\"");
}

TEST_CASE("request: malformed JSON comes first, and says where") {
  CHECK(message("{op:get,key:a}") ==
        "byte 2: a name in double quotes expected; the shell may have taken them: use '…'");
  CHECK(message(R"({"op":"gte","kye":[1,,2]})") == "byte 22: a value expected");
  CHECK(message(R"({"op":"ping"}{"op":"ping"})") ==
        "byte 14: nothing may follow the end of the object");
  CHECK(message("\xef\xbb\xbf{\"op\":\"ping\"}") == "byte 1: a byte-order mark; leave it out");
  CHECK(message("[1]") == "byte 1: an object expected, beginning with {" + elsewhere);
  CHECK(message(R"("op")") == "byte 1: an object expected, beginning with {" + elsewhere);
  CHECK(message("") == "byte 1: an object expected, beginning with {" + elsewhere);
  for (const char* word : {"hello", "help", "?", "PING", "get key1", "quit"})
    CHECK(message(word) == "byte 1: an object expected, beginning with {" + elsewhere);
}

TEST_CASE("request: one parser, line after line") {
  JsonRequestParser parser;
  CHECK(is_malformed(parse(parser, "{\"op\":")));
  const std::string big(2000000, 'v');
  const Request set = parse(parser, R"({"op":"set","key":"k","value":")" + big + "\"}");
  REQUIRE_FALSE(is_malformed(set));
  CHECK(flat(set).command.size() > big.size());
  CHECK(flat(parse(parser, R"({"op":"get","key":"k"})")).key == "k");
}

TEST_CASE("request: mutated lines are taken or refused, never worse") {
  const std::string seeds[] = {
      R"({"op":"set","key":"key1","value":{"a":[1,2.5,"\u00e9"]},"if":{"rev":12},"id":"x1"})",
      R"({"op":"incr","key":"n","by":-5,"if":{"value": [ 1, "b c" ] },"timeout_ms":250})",
      R"({"op":"scan","prefix":"a","after":"ab","limit":10,"keys_only":true,"stale":false})",
      R"({"id":18446744073709551615,"op":"delete","key":"\ud83d\ude00","if":{"exists":true}})",
      "{\"op\":\"get\",\"key\":\"\xc3\xa9\"} ",
  };
  constexpr std::string_view bytes = "{}[]:,\"\\ \t0123456789.-eEtrufalsnopkyvid\x1a\x80\xc3/'";
  JsonRequestParser parser;
  Prng prng(81);
  int taken_count = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string line = seeds[prng.below(std::size(seeds))];
    for (std::uint64_t n = prng.between(1, 3); n > 0; --n) {
      const std::size_t at = prng.below(line.size() + 1);
      const char byte =
          prng.chance(1, 10) ? static_cast<char>(prng.below(256)) : bytes[prng.below(bytes.size())];
      const std::uint64_t how = prng.below(3);
      if (how == 0 || at == line.size())
        line.insert(at, 1, byte);
      else if (how == 1)
        line[at] = byte;
      else
        line.erase(at, prng.between(1, 4));
    }
    const Request result = parse(parser, line);
    CAPTURE(line);
    if (const auto* malformed = std::get_if<Malformed>(&result.operation)) {
      REQUIRE_FALSE(malformed->failure.message.empty());
      continue;
    }
    ++taken_count;
    const Taken request = flat(result);
    if (!is_write(request.op)) continue;
    const std::optional<kv::Command> command = kv::decode_command(request.command);
    REQUIRE(command);
    if (command->op != kv::Op::set) continue;
    const auto again =
        parse(parser, R"({"op":"set","key":"k","value":)" + std::string(command->value) + "}");
    REQUIRE_FALSE(is_malformed(again));
    REQUIRE(kv::decode_command(flat(again).command)->value == command->value);
  }
  CHECK(taken_count > 1000);
}

}  // namespace zatt::codec
