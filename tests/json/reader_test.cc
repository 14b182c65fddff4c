// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/reader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"
#include "json/kernel.h"
#include "json/writer.h"

namespace zatt::json {
namespace {

struct Got {
  std::optional<ParseError> fault;
  std::vector<std::string> fields;  // name=text:depth
};

// Reads in the middle of other bytes, as in a receive buffer.
Got read(Reader& reader, std::string_view text, std::size_t max_depth = 130) {
  std::string buffer = "\"]}" + std::string(text) + "}\"\\\n";
  buffer.resize(buffer.size() + slack, '"');
  Got got;
  got.fault = reader.read(
      std::string_view(buffer).substr(3, text.size()), max_depth, [&](const Field& field) {
        got.fields.push_back(std::string(field.name) + "=" + std::string(field.value.text) + ":" +
                             std::to_string(field.depth));
      });
  return got;
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

// Every kernel, with the one of before put back at the end.
template <class Body>
void with_each_kernel(const Body& body) {
  const std::string before(kernel());
  for (const std::string& name : kernels()) {
    CAPTURE(name);
    REQUIRE(use_kernel(name));
    body();
  }
  REQUIRE(use_kernel(before));
}

}  // namespace

TEST_CASE("reader: the fields of an object, as they are written") {
  with_each_kernel([] {
    Reader reader;
    const Got got = read(reader, R"( {"op" : "get" ,"\u006bey":"a\"b", "n":-1.50e+3,)"
                                 R"("v": [1, {"x":[ ]} ] ,"z":{}, "t":true,"op":null } )");
    CHECK_FALSE(got.fault);
    CHECK(got.fields == std::vector<std::string>{R"(op="get":0)", R"(key="a\"b":0)", "n=-1.50e+3:0",
                                                 R"(v=[1, {"x":[ ]} ]:3)", "z={}:1", "t=true:0",
                                                 "op=null:0"});
    CHECK(read(reader, "{}").fields.empty());
    CHECK_FALSE(read(reader, "{}").fault);
  });
}

TEST_CASE("reader: what is JSON and what is not, inside any value") {
  struct Row {
    const char* value;
    bool taken;
  };
  const Row rows[] = {
      {"[1,,2]", false},
      {"[truu]", false},
      {"01", false},
      {"1.", false},
      {R"("\x")", false},
      {"[1,]", false},
      {"[,1]", false},
      {"{\"a\":1,}", false},
      {"{,}", false},
      {"{\"a\"}", false},
      {"{\"a\":}", false},
      {"{1:2}", false},
      {"[1 2]", false},
      {"{\"a\" 1}", false},
      {"\"b\":1", false},
      {"\"b\"\"c\"", false},
      {"\"b\"x", false},
      {"1\"c\"", false},
      {"[", false},
      {"]", false},
      {"[}", false},
      {"{]", false},
      {"[1}", false},
      {"", false},
      {"true", true},
      {"false", true},
      {"null", true},
      {"tru", false},
      {"truex", false},
      {"nulll", false},
      {"True", false},
      {"NaN", false},
      {"Infinity", false},
      {"'a'", false},
      // Escapes, surrogates
      {R"("\ud800")", false},
      {R"("\udc00")", false},
      {R"("\ud800\u0041")", false},
      {R"("\ud800\ud800")", false},
      {R"("\ud83d\ude00")", true},
      {R"("\uD83D\uDE00")", true},
      {R"({"\ud800":1})", false},
      {R"({"\ud83d\ude00":1})", true},
      {R"("\u12")", false},
      {R"("\u12G4")", false},
      {R"("\u0000")", true},
      {R"("\"\\\/\b\f\n\r\t")", true},
      {R"("\a")", false},
      {R"("\u+123")", false},
      {R"("\U0041")", false},
      {"\"\\u005c\"", true},
      {R"("\\")", true},
      {R"("\\\")", false},
      {"\"a", false},
      // UTF-8
      {"\"\xc3\xa9\"", true},
      {"\"\xf0\x9f\x98\x80\"", true},
      {"\"\xc0\x80\"", false},
      {"\"\xc1\xbf\"", false},
      {"\"\xe0\x80\x80\"", false},
      {"\"\xed\xa0\x80\"", false},
      {"\"\xed\x9f\xbf\"", true},
      {"\"\xf4\x8f\xbf\xbf\"", true},
      {"\"\xf4\x90\x80\x80\"", false},
      {"\"\xf0\x80\x80\x80\"", false},
      {"\"\x80\"", false},
      {"\"\xc3\"", false},
      {"\"\xff\"", false},
      {"\"\xe2\x82\"", false},
      {"\xc3\xa9", false},
      {"\xc2\xa0", false},
      // Control characters and spaces
      {"\"\t\"", false},
      {"\"\n\"", false},
      {"\"\x1f\"", false},
      {"\"\x7f\"", true},
      {"\"\xe2\x80\xa8\"", true},
      {" 1\t", true},
      {"\r\n1\n", true},
      {"\f1", false},
      {"1\x1a", false},
      {"1\v", false},
      {"\x1a", false},
      {"[1\x0c 2]", false},
      // Numbers: a grammar, and no range
      {"0", true},
      {"-0", true},
      {"-0.0", true},
      {"1.0", true},
      {"1e5", true},
      {"1E+5", true},
      {"1e-400", true},
      {"1e400", true},
      {"18446744073709551616", true},
      {"1267650600228229401496703205376", true},
      {"+1", false},
      {"-", false},
      {"--1", false},
      {".5", false},
      {"1.e5", false},
      {"1e", false},
      {"1e+", false},
      {"00", false},
      {"-01", false},
      {"0x10", false},
      {"1_000", false},
      {"1.2.3", false},
      {"1e5e5", false},
      {"1-2", false},
      {"1/", false},
      {"1a", false},
      {"0.", false},
      {"0e1", true},
      {"1,2", false},
      // Repeated names inside a value are the user's own affair
      {R"({"a":1,"a":2})", true},
  };
  with_each_kernel([&] {
    Reader reader;
    for (const Row& row : rows) {
      CAPTURE(row.value);
      const std::string bare = std::string("{\"v\":") + row.value + "}";
      const Got got = read(reader, bare);
      CHECK(got.fault.has_value() != row.taken);
      CHECK(diagnose(bare, 130, {}).what.empty() == row.taken);
      if (row.taken) CHECK(got.fields.size() == 1);
      const std::string deeper =
          std::string("{\"v\":[{\"a\":[0,") + row.value + "]},7],\"w\":\"behind\"}";
      const bool taken = row.taken || std::string_view(row.value) == "1,2";
      CHECK(read(reader, deeper).fault.has_value() != taken);
      CHECK(diagnose(deeper, 130, {}).what.empty() == taken);
    }
  });
}

TEST_CASE("reader: one object, and nothing else on the line") {
  const char* const refused[] = {"",
                                 " ",
                                 "1",
                                 "null",
                                 "\"a\"",
                                 "[]",
                                 "[{}]",
                                 "{}{}",
                                 "{} {}",
                                 "{}1",
                                 "{}]",
                                 "{}}",
                                 "{",
                                 "}",
                                 "{}x",
                                 "{}\"\"",
                                 "{},",
                                 "{}:",
                                 "\xef\xbb\xbf{}",
                                 "{}\xef\xbb\xbf",
                                 "{\"a\":1}{\"b\":2}",
                                 "{\"a\":1},{\"b\":2}",
                                 "{\"a\":{}}}",
                                 "{{}}",
                                 "{}\x1a",
                                 "\x1a{}"};
  with_each_kernel([&] {
    Reader reader;
    for (const char* text : refused) {
      CAPTURE(text);
      CHECK(read(reader, text).fault);
      CHECK_FALSE(diagnose(text, 130, {}).what.empty());
    }
    CHECK_FALSE(read(reader, "  {}\r").fault);
    CHECK(read(reader, std::string_view("{}\0", 3)).fault);
    CHECK(read(reader, std::string_view("\0{}", 3)).fault);
  });
}

TEST_CASE("reader: nesting is counted, and bounded, whatever its kind") {
  with_each_kernel([] {
    Reader reader;
    CHECK(read(reader, "{\"a\":" + nested(129) + "}").fields.at(0).ends_with(":129"));
    CHECK(read(reader, "{\"a\":" + nested(130) + "}").fault->what == "nested too deep");
    CHECK(read(reader, "{\"a\":" + nested(130) + "}").fault->offset == 5 + 129);
    std::string objects = "1";
    for (int i = 0; i < 129; ++i) objects = "{\"a\":" + objects + "}";
    CHECK_FALSE(read(reader, "{\"a\":" + objects + "}").fault);
    CHECK(read(reader, "{\"a\":{\"a\":" + objects + "}}").fault->what == "nested too deep");
    CHECK(read(reader, "{\"a\":[1,[2],[[3]],[[]]]}").fields.at(0).ends_with(":3"));
    CHECK(read(reader, "{}", 1).fields.empty());
    CHECK(read(reader, "{\"a\":[]}", 1).fault);
    CHECK_FALSE(read(reader, "{\"a\":[]}", 2).fault);
    // Neither the walk nor the search for the fault goes as deep as the line does.
    const std::size_t million = 1000000;
    CHECK(read(reader, std::string(million, '[')).fault);
    CHECK(read(reader, "{\"a\":" + std::string(million, '[')).fault->what == "nested too deep");
    CHECK(read(reader, "{\"a\":" + nested(million) + "}").fault->what == "nested too deep");
    std::string deep;
    for (std::size_t i = 0; i < million / 5; ++i) deep += "{\"a\":";
    CHECK(read(reader, deep).fault);
    CHECK(read(reader, deep + "1" + std::string(million / 5, '}')).fault);
  });
}

TEST_CASE("reader: a long text, then a short one") {
  Reader reader;
  const std::string big(3 * 1000 * 1000, 'x');
  const Got got = read(reader, "{\"a\":\"" + big + "\",\"b\":1}");
  CHECK_FALSE(got.fault);
  CHECK(got.fields.at(0).size() == big.size() + 6);
  CHECK(read(reader, "{\"c\":2}").fields == std::vector<std::string>{"c=2:0"});
  std::string escapes;
  for (int i = 0; i < 200000; ++i) escapes += R"(\u20ac\n)";
  CHECK_FALSE(read(reader, "{\"a\":[\"" + escapes + "\",\"" + escapes + "\"]}").fault);
}

TEST_CASE("reader: what stands before a fault is handed out where it can be") {
  Reader reader;
  CHECK(read(reader, R"({"id":7,"a":truu})").fields == std::vector<std::string>{"id=7:0"});
  // Here the first stage sees it, before any field.
  CHECK(read(reader, "{\"id\":[1, [2]] ,\"a\":\"\xff\"}").fields ==
        std::vector<std::string>{"id=[1, [2]]:2"});
  CHECK(read(reader, R"({"i\u0064":"x)").fields.empty());
  CHECK(read(reader, R"({"i\u0064":"x","y":"z)").fields == std::vector<std::string>{"id=\"x\":0"});
}

namespace {

const char* const seeds[] = {
    R"({"op":"set","key":"key1","value":0})",
    R"({"op":"set","key":"a","value":{"a":[1,2.5e-3,{"b":"\u00e9\n\ud83d\ude00"}],"c":null}})",
    R"({"id":"x","op":"get","key":"k","stale":true,"timeout_ms":100})",
    R"( { "op" : "incr" , "by" : -12 , "if" : { "value" : [ true , false ] } } )",
    "{\"op\":\"set\",\"key\":\"\xc3\xa9\xe2\x82\xac\",\"value\":[[],{},[[\"\\\\\"]]]}",
    R"([1,{"a":"b":1}])",
};

// A few bytes changed, taken out, put in or doubled: mostly bytes that mean something to JSON.
std::string mutated(Prng& prng, std::string text) {
  constexpr std::string_view bytes =
      "{}[]:,\"\\ \t\n0123456789.-+eEtrufalsn\x1a\x0c\x80\xc3\xa9\xef/'x";
  const std::uint64_t changes = prng.between(1, 4);
  for (std::uint64_t i = 0; i < changes && !text.empty(); ++i) {
    const std::size_t at = prng.below(text.size());
    const char byte =
        prng.chance(1, 8) ? static_cast<char>(prng.below(256)) : bytes[prng.below(bytes.size())];
    switch (prng.below(5)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.erase(at, prng.between(1, 3));
        break;
      case 2:
        text.insert(at, 1, byte);
        break;
      case 3:
        std::swap(text[at], text[prng.below(text.size())]);
        break;
      default: {
        const std::string piece = text.substr(at, prng.between(1, 12));
        text.insert(prng.below(text.size()), piece);
      }
    }
  }
  return text;
}

}  // namespace

TEST_CASE("reader: simdjson and the byte-by-byte pass agree on mutated lines") {
  with_each_kernel([] {
    Prng prng(81);
    Reader reader;
    int taken = 0;
    for (int i = 0; i < 60000; ++i) {
      std::string text = mutated(prng, seeds[prng.below(std::size(seeds))]);
      std::vector<std::string> located;
      const ParseError fault = diagnose(text, 5, [&](const Field& field) {
        located.push_back(std::string(field.name) + "=" + std::string(field.value.text) + ":" +
                          std::to_string(field.depth));
      });
      const Got got = read(reader, text, 5);
      CAPTURE(text);
      REQUIRE(got.fault.has_value() == !fault.what.empty());
      // A field with no comma behind it is seen by one and not by the other.
      REQUIRE(located.size() <= got.fields.size());
      REQUIRE(got.fields.size() <= located.size() + (got.fault ? 1 : 0));
      REQUIRE(std::equal(located.begin(), located.end(), got.fields.begin()));
      if (!got.fault) ++taken;
    }
    CHECK(taken > 2000);
    CHECK(taken < 50000);
  });
}

}  // namespace zatt::json
