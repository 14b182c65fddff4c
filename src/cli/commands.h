// SPDX-License-Identifier: AGPL-3.0-or-later
// The verbs: each does its work over a session and returns what the command ends with.
#pragma once

#include <cstdint>
#include <optional>

#include "cli/arguments.h"
#include "cli/exit_codes.h"
#include "cli/interrupts.h"
#include "cli/output.h"
#include "cli/session.h"

namespace zatt::cli {

// What a verb has to work with.
// Whether what fails is also an object on standard output, under --json.
enum class Json : std::uint8_t { a_line_each, none };

struct Context {
  const Arguments& arguments;
  Interrupts& interrupts;
  Output& out;
  Session& session;
  bool asks = true;                                     // standard input is a person's, or nobody's
  bool by_shell = true;                                 // operands have been through a shell
  std::optional<bool> others_have_room = std::nullopt;  // as asked once

  // What a failed request ends with; says why, but for a plain no and after ^C where nothing was
  // written.
  Exit fail(const Reply& reply, const std::string& what = {}, Json json = Json::a_line_each);
  // What it ends with, without a word. Where there was no room for a write it asks the members
  // whether one of them could take it.
  Exit code_of(const Reply& reply);
  // The server's line, or one of our own where none came.
  void add_json(const Reply& reply);
  // The end, with all that was added to `out` written.
  Exit finish(Exit code);
};

Exit run_get(Context& context);
Exit run_set(Context& context);
Exit run_del(Context& context);
Exit run_incr(Context& context);
Exit run_count(Context& context);
Exit run_wait(Context& context);

Exit run_list(Context& context);  // ls and scan
Exit run_export(Context& context);

Exit run_raw(Context& context);
Exit run_import(Context& context);

Exit run_del_prefix(Context& context);
Exit run_lines(Context& context);
Exit run_prompt(Context& context);

Exit run_status(Context& context);
Exit run_members(Context& context);

}  // namespace zatt::cli
