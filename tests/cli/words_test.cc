// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/words.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace zatt::cli;

namespace {

using List = std::vector<std::string>;

List words_in(const std::string& line) {
  const Words words = to_words(line);
  CHECK(words.wrong == "");
  return words.words;
}

}  // namespace

TEST_CASE("to_words: blanks part words, quotes do not") {
  CHECK(words_in("").empty());
  CHECK(words_in(" \t\r").empty());
  CHECK(words_in("  set a\t1 \r") == List{"set", "a", "1"});
  CHECK(words_in("set motd 'Hello, world'") == List{"set", "motd", "Hello, world"});
  CHECK(words_in(R"(set k '"5"')") == List{"set", "k", "\"5\""});
  CHECK(words_in(R"(a "b c" d\ e '' "" f'g h'i)") == List{"a", "b c", "d e", "", "", "fg hi"});
  CHECK(words_in(R"("a\"b\\c\d\$" 'a\b' \\ \')") == List{"a\"b\\c\\d$", "a\\b", "\\", "'"});
}

TEST_CASE("to_words: a # begins a comment only where a word would begin") {
  CHECK(words_in("# all of it").empty());
  CHECK(words_in("get a # the rest") == List{"get", "a"});
  CHECK(words_in("get a#1 '#2'") == List{"get", "a#1", "#2"});
}

TEST_CASE("to_words: JSON needs no quotes") {
  CHECK(words_in(R"(set lamp {"on": true, "is": [1, "} \" "]} --json)") ==
        List{"set", "lamp", R"({"on": true, "is": [1, "} \" "]})", "--json"});
  CHECK(words_in("set k [1, 2, {}]") == List{"set", "k", "[1, 2, {}]"});
  CHECK(words_in("get a{b c}") == List{"get", "a{b", "c}"});
  CHECK(words_in("set k {}x") == List{"set", "k", "{}x"});
}

TEST_CASE("to_words: what joins commands in a shell is refused, other characters are themselves") {
  CHECK(words_in("set $x * `d` 'a;b' \"|\" \\&") == List{"set", "$x", "*", "`d`", "a;b", "|", "&"});
  for (const char* const line : {"set a 1; get a", "get a | cat", "get a&", "get a >b", "a <b"})
    CHECK(to_words(line).wrong.find(" means nothing here: a line is one command") !=
          std::string::npos);
}

TEST_CASE("to_words: what is not closed is named") {
  CHECK(to_words("set a 'b").wrong.find("a ' is not closed") == 0);
  CHECK(to_words("set a \"b").wrong.find("a \" is not closed") == 0);
  CHECK(to_words("set a \"b\\").wrong.find("a \" is not closed") == 0);
  CHECK(to_words("set a {\"b\": \"}\"").wrong.find("a { is not closed") == 0);
  CHECK(to_words("set a [1").wrong.find("a [ is not closed") == 0);
  CHECK(to_words("set a \\").wrong.find("a \\ ends the line") == 0);
}

TEST_CASE("to_typed is read back as it was") {
  for (const std::string word :
       {"plain", "", "a b", "it's", "\"", "a\\b", "#", "{x", "[", "a{", "é", "a;b", "a&b"}) {
    CAPTURE(word);
    CHECK(words_in("get " + to_typed(word)) == List{"get", word});
  }
  CHECK(to_typed("room:1") == "room:1");
  CHECK(to_typed("it's") == "'it'\\''s'");
}
