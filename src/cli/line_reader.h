// SPDX-License-Identifier: AGPL-3.0-or-later
// Reads lines that a person types at a terminal.
//
// Where libedit or readline is installed, which is looked for when the program runs, there are
// history and completion. Without one, or at a dumb terminal, lines are what the terminal gives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/lines.h"
#include "cli/output.h"
#include "cli/session.h"

namespace zatt::cli {

class LineEditor;

class LineReader {
 public:
  // What the word that is being typed may become, after what stands before it in the line.
  using Complete =
      std::function<std::vector<std::string>(std::string_view before, std::string_view word)>;
  // One a process. The session goes on meanwhile.
  LineReader(Session& session, Output& out, Complete complete);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  enum class Typed : std::uint8_t { line, end, interrupted };
  Typed read(std::string& line);

  bool has_editor() const { return editor_ != nullptr; }

 private:
  Typed read_plain(std::string& line);
  Typed read_edited(std::string& line);

  Session& session_;
  Output& out_;
  std::unique_ptr<LineEditor> editor_;
  LineCutter cutter_;
};

}  // namespace zatt::cli
