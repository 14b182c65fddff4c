// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/line_editor.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace zatt::cli {
namespace {

constexpr const char* libraries[] = {"libedit.so.2", "libreadline.so.8", "libedit.so.0",
                                     "libreadline.so.7"};

// What the library calls back has no other way to reach us.
LineReader::Complete complete_word;
std::vector<std::string> candidates;
std::size_t next_candidate = 0;
char** line_buffer = nullptr;
int* no_file_names = nullptr;
char** (*matches_of)(const char*, char* (*)(const char*, int)) = nullptr;
bool line_is_done = false;
bool is_at_end = false;
std::string done_line;

template <class Pointer>
bool find(void* library, const char* name, Pointer& out) {
  void* const found = dlsym(library, name);
  std::memcpy(&out, &found, sizeof out);
  return found != nullptr;
}

extern "C" char* next_match(const char*, int state) {
  if (state == 0) next_candidate = 0;
  return next_candidate == candidates.size() ? nullptr
                                             : strdup(candidates[next_candidate++].c_str());
}

extern "C" char** matches(const char* word, int begin, int) {
  *no_file_names = 1;
  const std::string_view line(*line_buffer);
  candidates = complete_word(line.substr(0, static_cast<std::size_t>(begin)), word);
  return candidates.empty() ? nullptr : matches_of(word, next_match);
}

extern "C" void on_line(char* line) {
  line_is_done = true;
  is_at_end = line == nullptr;
  done_line = is_at_end ? "" : line;
  std::free(line);
}

}  // namespace

struct LineEditor::Functions {
  void (*install)(const char*, void (*)(char*)) = nullptr;
  void (*read_char)() = nullptr;
  void (*remove)() = nullptr;
  int (*add_history)(const char*) = nullptr;
  void (*free_line_state)() = nullptr;  // readline alone
};

std::unique_ptr<LineEditor> LineEditor::load(LineReader::Complete complete) {
  for (const char* const name : libraries) {
    void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) continue;
    auto functions = std::make_unique<Functions>();
    char** (**completer)(const char*, int, int) = nullptr;
    const char** breaks = nullptr;
    int* catch_signals = nullptr;
    const bool whole = find(library, "rl_callback_handler_install", functions->install) &&
                       find(library, "rl_callback_read_char", functions->read_char) &&
                       find(library, "rl_callback_handler_remove", functions->remove) &&
                       find(library, "add_history", functions->add_history) &&
                       find(library, "rl_attempted_completion_function", completer) &&
                       find(library, "rl_attempted_completion_over", no_file_names) &&
                       find(library, "rl_completer_word_break_characters", breaks) &&
                       find(library, "rl_completion_matches", matches_of) &&
                       find(library, "rl_line_buffer", line_buffer);
    if (!whole) {
      dlclose(library);
      continue;
    }
    find(library, "rl_free_line_state", functions->free_line_state);
    if (find(library, "rl_catch_signals", catch_signals)) *catch_signals = 0;
    *completer = matches;
    *breaks = " \t";
    return std::unique_ptr<LineEditor>(new LineEditor(std::move(functions), std::move(complete)));
  }
  return nullptr;
}

LineEditor::LineEditor(std::unique_ptr<Functions> functions, LineReader::Complete complete)
    : functions_(std::move(functions)) {
  complete_word = std::move(complete);
}

LineEditor::~LineEditor() {
  end();
  complete_word = nullptr;
}

void LineEditor::begin(const char* prompt) {
  line_is_done = false;
  has_terminal_ = true;
  functions_->install(prompt, on_line);
}

bool LineEditor::on_key(std::optional<std::string>& line) {
  functions_->read_char();
  if (!line_is_done) return false;
  end();
  line.reset();
  if (is_at_end) return true;
  line.emplace(done_line);
  if (!done_line.empty() && done_line != last_) {
    last_ = done_line;
    functions_->add_history(last_.c_str());
  }
  return true;
}

void LineEditor::end() {
  if (!has_terminal_) return;
  has_terminal_ = false;
  if (!line_is_done && functions_->free_line_state != nullptr) functions_->free_line_state();
  functions_->remove();
}

}  // namespace zatt::cli
