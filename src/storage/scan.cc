// SPDX-License-Identifier: AGPL-3.0-or-later
// The first step of a start: what does this directory hold?
#include <algorithm>
#include <utility>

#include "storage/log_reader.h"
#include "storage/segments.h"
#include "storage/slots.h"
#include "storage/storage.h"

namespace zatt::storage {

ScanResult::ScanResult() : log(std::make_unique<Log>()) {}
ScanResult::ScanResult(ScanResult&&) noexcept = default;
ScanResult& ScanResult::operator=(ScanResult&&) noexcept = default;
ScanResult::~ScanResult() = default;

namespace {

bool holds(const std::vector<std::string>& names, const char* name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_log(const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    const auto parsed = parse_file_name(name);
    return parsed && parsed->kind == FileKind::segment;
  });
}

// A segment of any kind: these are made only once the hard state is durable.
const std::string* find_segment(const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (parse_file_name(name)) return &name;
  return nullptr;
}

}  // namespace

Result<ScanResult> scan(Disk& disk, const Options& options,
                        const std::function<void(const EntryView&)>& on_entry) {
  ScanResult found;
  auto names = disk.list();
  if (!names) return names.error();
  if (!holds(*names, hard_state_name)) {
    if (const std::string* segment = find_segment(*names))
      return Error{Code::corrupt, 0, "damaged identity is not empty",
                   options.directory + ": " + hard_state_name + " is missing, but " + *segment +
                       " is there"};
    return found;
  }
  auto slots = read_slots(disk);
  if (!slots && slots.error().code != Code::io) {
    Error error = slots.error();
    error.detail = options.directory + "/" + error.detail;
    return error;
  }
  if (!slots) return slots.error();
  if (slots->one_is_bad) {
    hit(options.instrumentation, CoveragePoint::bad_slot_found);
    found.notes.push_back(std::string("one of the two copies in ") + hard_state_name +
                          " was torn or damaged; the other one holds, and both are written anew");
  }
  found.log->is_empty = false;
  found.log->turn = slots->turn;
  found.log->older_slot = slots->older_slot;
  found.log->log_end = slots->log_end;
  found.hard_state = std::move(slots->state);
  // The first segment is durable, and recorded, before its node first speaks of a term.
  if (found.hard_state->raft_state.current_term > Term{0} && !has_log(*names) &&
      found.log->log_end.segment == 0)
    return Error{Code::corrupt, 0, "the log is missing",
                 options.directory + ": " + hard_state_name + " is of term " +
                     std::to_string(raw(found.hard_state->raft_state.current_term)) +
                     ", and no segment is there"};
  LogQuestion question;
  question.directory = options.directory;
  question.instrumentation = options.instrumentation;
  question.incarnation = found.hard_state->self.incarnation;
  question.log_end = slots->log_end;
  if (auto read = read_log(disk, question, *names, on_entry, found); !read) return read.error();
  if (found.damage) hit(options.instrumentation, CoveragePoint::damage_found);
  return found;
}

}  // namespace zatt::storage
