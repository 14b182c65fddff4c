// SPDX-License-Identifier: AGPL-3.0-or-later
// Cuts a line into words as a shell does.
//
// '...' takes all as it is, "..." too but for \" and \\, and a \ outside of both the character
// after it. A word that begins with { or [ is JSON up to its closing bracket, quotes and blanks and
// all. A # where a word would begin ends the line. $ and * are characters like others; what would
// join commands or redirect them (; | & < >) is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zatt::cli {

struct Words {
  std::vector<std::string> words;
  std::string wrong;  // a sentence, or "": all is well
};

Words to_words(std::string_view line);

// The word as it is typed in a line, in '...' where it has to be.
std::string to_typed(std::string_view word);

}  // namespace zatt::cli
