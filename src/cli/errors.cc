// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/errors.h"

#include <unistd.h>

#include <string>

#include "base/text.h"

namespace zatt::cli {
namespace {

// One thread, one standard error.
std::string place_name;
std::size_t error_count = 0;

std::string_view hint(const std::string& sentence) {
  if (sentence.find("no server answered") != std::string::npos)
    return " (is zattd running there? --servers or ZATT_SERVERS name others)";
  return {};
}

// What a server says of "if" is said in its own words; how the key is instead stands in fields.
std::string of_condition(const Reply& reply) {
  constexpr std::size_t longest = 60;
  std::string text = reply.message.find("\"if\"") == std::string::npos
                         ? reply.message
                         : "the condition does not hold";
  if (!reply.found || !reply.value) return text + ": there is no such key";
  const std::string value = printable(*reply.value);
  text += ": ";
  text += utf8_count(value) > longest ? "the value is another" : "the value is " + value;
  return text + ", revision " + std::to_string(reply.rev);
}

}  // namespace

Place::Place(std::string name) { place_name = std::move(name) + ": "; }
Place::~Place() { place_name.clear(); }
std::size_t errors_printed() { return error_count; }

void print_error(std::string_view sentence) {
  ++error_count;
  const std::string line = "zatt: " + place_name + printable(sentence) + "\n";
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) {
    // there is nobody to tell
  }
}

Exit print_usage_error(std::string_view sentence) {
  print_error(sentence);
  return Exit::wrong_usage;
}

void print_error_of(const Reply& reply, std::string_view what, Exit code) {
  std::string sentence;
  if (!what.empty()) sentence = std::string(what) + ": ";
  sentence += zatt_error_name(reply.error);
  sentence += ": ";
  if (reply.error == ZATT_ECONDITION)
    sentence += of_condition(reply);
  else
    sentence += reply.message.empty() ? zatt_error_text(reply.error) : reply.message.c_str();
  sentence += hint(sentence);
  if (reply.error == ZATT_ESTORAGEFULL && code == Exit::try_again)
    sentence += " (other members have room, and one of them takes over: try again in a moment)";
  print_error(sentence);
}

Exit exit_of(int error) { return static_cast<Exit>(zatt_error_kind(error)); }

}  // namespace zatt::cli
