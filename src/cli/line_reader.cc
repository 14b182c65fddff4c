// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/line_reader.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "cli/line_editor.h"

namespace zatt::cli {
namespace {

constexpr const char* prompt = "zatt> ";

bool is_dumb() {
  const char* const terminal = std::getenv("TERM");
  return terminal == nullptr || *terminal == '\0' || std::string_view(terminal) == "dumb";
}

}  // namespace

LineReader::LineReader(Session& session, Output& out, Complete complete)
    : session_(session), out_(out) {
  if (!is_dumb()) editor_ = LineEditor::load(std::move(complete));
}
LineReader::~LineReader() = default;

LineReader::Typed LineReader::read(std::string& line) {
  return editor_ != nullptr ? read_edited(line) : read_plain(line);
}

LineReader::Typed LineReader::read_plain(std::string& line) {
  out_.add(prompt);
  out_.flush();
  LineCutter::Line typed;
  while (!cutter_.next(typed)) {
    if (cutter_.at_end()) return Typed::end;
    pollfd input[] = {{STDIN_FILENO, POLLIN, 0}};
    if (!session_.turn(input)) return Typed::interrupted;
    if (input[0].revents == 0) continue;
    if (!cutter_.read_from(STDIN_FILENO).empty()) cutter_.end();  // the terminal is gone
  }
  line = typed.text;
  return Typed::line;
}

LineReader::Typed LineReader::read_edited(std::string& line) {
  editor_->begin(prompt);
  std::optional<std::string> typed;
  for (;;) {
    pollfd input[] = {{STDIN_FILENO, POLLIN, 0}};
    if (!session_.turn(input)) {
      editor_->end();
      return Typed::interrupted;
    }
    if (input[0].revents == 0) continue;
    if ((input[0].revents & POLLIN) == 0) return Typed::end;  // the terminal is gone
    if (!editor_->on_key(typed)) continue;
    if (!typed) return Typed::end;
    line = std::move(*typed);
    return Typed::line;
  }
}

}  // namespace zatt::cli
