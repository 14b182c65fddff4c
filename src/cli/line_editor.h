// SPDX-License-Identifier: AGPL-3.0-or-later
// libedit or readline, whichever is installed: the interface that both have, found at run time.
//
// Nothing is linked: a machine without either has a plain prompt, and no package depends on them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/line_reader.h"

namespace zatt::cli {

class LineEditor {
 public:
  // nullptr: there is none. One at a time.
  static std::unique_ptr<LineEditor> load(LineReader::Complete complete);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Shows the prompt, and has the terminal until end(). What was typed before begin() is dropped.
  void begin(const char* prompt);
  // A key was pressed. True: the line is finished, and has been handed to `line`; nothing: the end.
  bool on_key(std::optional<std::string>& line);
  void end();

 private:
  struct Functions;
  explicit LineEditor(std::unique_ptr<Functions> functions, LineReader::Complete complete);

  std::unique_ptr<Functions> functions_;
  std::string last_;  // in the history
  bool has_terminal_ = false;
};

}  // namespace zatt::cli
