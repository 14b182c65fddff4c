// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/value.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "json/value.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

constexpr std::size_t longest = 32 << 20;  // more than any server takes

bool looks_meant_as_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos &&
         std::string_view("{[\"").find(text[first]) != std::string_view::npos;
}

// "" or why it could not.
std::string read_all(int fd, std::string& text) {
  std::array<char, 65'536> buffer{};
  for (;;) {
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::strerror(errno);
    if (size == 0) return "";
    text.append(buffer.data(), static_cast<std::size_t>(size));
    if (text.size() > longest) return "it is larger than any value can be";
  }
}

// "value is not JSON: byte 2: ...": what is new in it.
std::string news_in(std::string why) {
  constexpr std::string_view known = "is not JSON: ";
  if (const std::size_t at = why.find(known); at != std::string::npos)
    why.erase(0, at + known.size());
  return why;
}

// Whoever typed it may have typed the quotes, too.
std::string with_hint(std::string why) {
  if (why.find("quotes") != std::string::npos) why += "; the shell may have taken them: use '…'";
  return why;
}

}  // namespace

Value to_value(std::string text, ValueIs is, bool typed, const IsJson& validator) {
  if (!is_utf8(text)) return {"", "the value is not UTF-8 text"};
  if (is == ValueIs::string) return {json::string_text(text), ""};
  const auto why = validator(text);
  if (!why) return {std::move(text), ""};
  if (is == ValueIs::json) return {"", typed ? with_hint(*why) : *why};
  if (!looks_meant_as_json(text)) return {json::string_text(text), ""};
  const std::string place = " (" + news_in(*why) + ")";
  return {"", typed ? "not JSON; did the shell take the quotes? use '…', or --string" + place
                    : "not JSON; --string stores it as it is" + place};
}

Source read_operand(const std::string& operand) {
  if (operand != "-" && operand.substr(0, 1) != "@") return {operand, true, ""};
  Source source;
  source.typed = false;
  const std::string path = operand == "-" ? "standard input" : operand.substr(1);
  int fd = STDIN_FILENO;
  if (operand != "-") fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    source.wrong =
        path + ": " + std::strerror(errno) + " (a string that begins with @ is '\"@…\"')";
  else if (const std::string why = read_all(fd, source.text); !why.empty())
    source.wrong = path + ": " + why;
  if (operand != "-" && fd >= 0) close(fd);
  if (!source.text.empty() && source.text.back() == '\n') source.text.pop_back();
  return source;
}

std::string bare(std::string_view json) {
  return json.starts_with('"') ? json::unescaped(json) : std::string(json);
}

}  // namespace zatt::cli
