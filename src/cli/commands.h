// SPDX-License-Identifier: AGPL-3.0-or-later
// The verbs. Each does its work over a session and answers what the command ends with.
#pragma once

#include <cstdint>
#include <optional>

#include "cli/arguments.h"
#include "cli/exits.h"
#include "cli/interrupts.h"
#include "cli/output.h"
#include "cli/session.h"

namespace zatt::cli {

// What a verb has to work with.
// Whether what fails is also an object on standard output, under --json.
enum class Json : std::uint8_t { a_line_each, none };

struct Work {
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

Exit run_get(Work& work);
Exit run_set(Work& work);
Exit run_del(Work& work);
Exit run_incr(Work& work);
Exit run_count(Work& work);
Exit run_wait(Work& work);

Exit run_list(Work& work);  // ls and scan
Exit run_export(Work& work);

Exit run_raw(Work& work);
Exit run_import(Work& work);

Exit run_del_prefix(Work& work);
Exit run_lines(Work& work);
Exit run_prompt(Work& work);

Exit run_status(Work& work);
Exit run_members(Work& work);

}  // namespace zatt::cli
