// SPDX-License-Identifier: AGPL-3.0-or-later
#include "json/value.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "json/kernel.h"
#include "json/writer.h"

namespace zatt::json {

TEST_CASE("value: its type shows in its first byte") {
  CHECK(value_of("null").type == Type::null);
  CHECK(value_of("true").type == Type::boolean);
  CHECK(value_of("false").type == Type::boolean);
  CHECK(value_of("-1").type == Type::number);
  CHECK(value_of("\"\"").type == Type::string);
  CHECK(value_of("[]").type == Type::array);
  CHECK(value_of("{}").type == Type::object);
  CHECK(to_string(Type::array) == "an array");
}

TEST_CASE("value: integers without fraction or exponent, within 64 bits") {
  struct Row {
    const char* text;
    std::optional<std::int64_t> as_int64;
    std::optional<std::uint64_t> as_uint64;
  };
  const Row rows[] = {
      {"0", 0, 0u},
      {"-0", 0, std::nullopt},
      {"7", 7, 7u},
      {"-7", -7, std::nullopt},
      {"9223372036854775807", INT64_MAX, 9223372036854775807u},
      {"-9223372036854775808", INT64_MIN, std::nullopt},
      {"9223372036854775808", std::nullopt, 9223372036854775808u},
      {"18446744073709551615", std::nullopt, UINT64_MAX},
      {"18446744073709551616", std::nullopt, std::nullopt},
      {"-9223372036854775809", std::nullopt, std::nullopt},
      {"1.0", std::nullopt, std::nullopt},
      {"1e2", std::nullopt, std::nullopt},
      {"\"1\"", std::nullopt, std::nullopt},
      {"true", std::nullopt, std::nullopt},
      {"[1]", std::nullopt, std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(as_int64(value_of(row.text)) == row.as_int64);
    CHECK(as_uint64(value_of(row.text)) == row.as_uint64);
  }
  CHECK(as_bool(value_of("true")) == true);
  CHECK(as_bool(value_of("false")) == false);
  CHECK(as_bool(value_of("null")) == std::nullopt);
  CHECK(as_bool(value_of("1")) == std::nullopt);
}

TEST_CASE("value: a string's characters") {
  CHECK(unescaped(R"("")").empty());
  CHECK(unescaped(R"("plain")") == "plain");
  CHECK(unescaped(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(unescaped(R"("a\u0041\u00e9\u20AC\ud83d\ude00z")") ==
        "aA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
  CHECK(unescaped(R"("\u0000")") == std::string(1, '\0'));
  CHECK(unescaped(R"("\ud800\udc00\udbff\udfff\ud7ff\ue000\uffff\u007f\u0080\u07ff\u0800")") ==
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\x7f\xc2\x80\xdf\xbf"
        "\xe0\xa0\x80");
  std::string out = "kept ";
  unescape(R"("and\u0020added")", out);
  CHECK(out == "kept and added");
}

TEST_CASE("value: whitespace between tokens goes, all else stays as written") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {R"([1,2])", R"([1,2])"},
      {R"([ 1 , 2 ])", R"([1,2])"},
      {"{ \"a b\" :\t[ \"c \\\" d\" ,\r\n 1.0 ] }", R"({"a b":["c \" d",1.0]})"},
      {R"(["a b","c d e f g h i j k"])", R"(["a b","c d e f g h i j k"])"},
      {R"("a  b")", R"("a  b")"},
      {R"({"a" : "\\" , "b" : " "})", R"({"a":"\\","b":" "})"},
      {"[ ]", "[]"},
      {"[1e400 ,-0, 1267650600228229401496703205376]",
       "[1e400,-0,1267650600228229401496703205376]"},
      {R"({"a":1, "a":1})", R"({"a":1,"a":1})"},
  };
  const std::string before(kernel());
  for (const std::string& name : kernels()) {
    REQUIRE(use_kernel(name));
    std::string scratch = "left over";
    for (const Row& row : rows) {
      CAPTURE(name);
      CAPTURE(row.text);
      CHECK(compact(value_of(row.text), scratch) == row.want);
      const std::string again = row.want;
      CHECK(compact(value_of(again), scratch) == row.want);
    }
    // Spaces at each place of a block.
    for (std::size_t size = 0; size < 200; ++size) {
      const std::string inside =
          "[\"" + std::string(size, 'x') + " " + std::string(size, 'y') + "\"]";
      CHECK(compact(value_of(inside), scratch) == inside);
      const std::string outside = "[\"" + std::string(size, 'x') + "\" ,1]";
      CHECK(compact(value_of(outside), scratch) == "[\"" + std::string(size, 'x') + "\",1]");
    }
  }
  REQUIRE(use_kernel(before));
}

TEST_CASE("value: a walk over members and elements") {
  const auto walked = [](std::string_view text) {
    std::vector<std::string> found;
    Iterator walk(value_of(text));
    while (const std::optional<Iterator::Item> item = walk.next())
      found.push_back(std::string(item->name) + "=" + std::string(item->value.text));
    return found;
  };
  using Found = std::vector<std::string>;
  CHECK(walked("{}").empty());
  CHECK(walked("[ ]").empty());
  CHECK(walked(R"([1,"a,]",[2,[3]],{"b":"}"},null])") ==
        Found{"=1", "=\"a,]\"", "=[2,[3]]", R"(={"b":"}"})", "=null"});
  CHECK(walked("{ \"a\\\"\" : 1 ,\n\"b\":[ 2 , 3 ] , \"c\" : \"\\\\\" }") ==
        Found{R"("a\""=1)", R"("b"=[ 2 , 3 ])", R"("c"="\\")"});
  CHECK(walked(R"({"0":["127.0.0.1",5254],"1":["::1",5255]})") ==
        Found{R"("0"=["127.0.0.1",5254])", R"("1"=["::1",5255])"});
}

}  // namespace zatt::json
