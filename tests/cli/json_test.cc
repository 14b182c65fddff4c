// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/json.h"

#include <doctest/doctest.h>

using namespace zatt::cli;

TEST_CASE("fields_of: names and the extents of values") {
  const auto fields =
      fields_of(" { \"a\" : 1 , \"b\":{\"x\":[1,\"}\"]} ,\"\\u0063\\n\":\"q\\\"\" , \"d\":[ ] } ");
  REQUIRE(fields);
  REQUIRE(fields->size() == 4);
  CHECK((*fields)[0].name == "a");
  CHECK((*fields)[0].text == "1");
  CHECK((*fields)[1].text == R"({"x":[1,"}"]})");
  CHECK((*fields)[2].name == "c\n");
  CHECK((*fields)[2].text == R"("q\"")");
  CHECK(text_of(*fields, "d") == "[ ]");
  CHECK(text_of(*fields, "e").empty());
  CHECK(fields_of("{}")->empty());
}

TEST_CASE("fields_of: no object") {
  for (const char* text :
       {"",          "{",          "}",          "[]",         "1",           "{\"a\"}",
        "{\"a\":}",  "{\"a\":1,}", "{,}",        "{\"a\":1}x", "{\"a\":1}{}", "{\"a\":1 2}",
        "{a:1}",     "{\"a\":\"}", "{\"a\":[1}", "{\"a\":{",   "{\"a\\\":1}", "{\"\\x\":1}",
        "{\"a\" 1}", "{\"a\":,}"}) {
    CAPTURE(text);
    CHECK(!fields_of(text));
  }
}

TEST_CASE("elements_of") {
  const auto elements = elements_of(R"(["127.0.0.1", 5254,[1,2]])");
  REQUIRE(elements);
  REQUIRE(elements->size() == 3);
  CHECK((*elements)[1] == "5254");
  CHECK((*elements)[2] == "[1,2]");
  CHECK(elements_of("[]")->empty());
  for (const char* text : {"", "[", "[1", "[1,]", "[,]", "[1]x", "{}"}) {
    CAPTURE(text);
    CHECK(!elements_of(text));
  }
}

TEST_CASE("characters_of: every escape, and those that are none") {
  CHECK(characters_of(R"("")") == "");
  CHECK(characters_of(R"("\b\f\n\r\t\"\\\/")") == "\b\f\n\r\t\"\\/");
  CHECK(characters_of(R"("\u0041\u00e9\u20AC")") == "Aé€");
  CHECK(characters_of(R"("\ud83d\ude00")") == "😀");
  CHECK(characters_of(R"("\u0000")") == std::string(1, '\0'));
  for (const char* text : {"", "\"", "a", "1", R"("a)", R"("\")", R"("\x")", R"("\u12")",
                           R"("\u12g4")", R"("\ud83d")", R"("\ud83dx")", R"("\ud83d\n")",
                           R"("\ud83d\u0041")", R"("\ude00")", "\"a\nb\"", R"("a"b")"}) {
    CAPTURE(text);
    CHECK(!characters_of(text));
  }
}
