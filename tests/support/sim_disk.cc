// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace zatt::test {

static_assert(SimDisk::crashed_errno == ESHUTDOWN);

// --- the calls -------------------------------------------------------------------------------

std::optional<Error> SimDisk::step(Call kind, const char* what, const std::string& name) {
  const std::uint64_t call = calls_++;
  if (crash_call_ && call >= *crash_call_) crashed_ = true;
  if (kind == Call::changes) {
    const std::uint64_t change = changing_calls_++;
    if (crash_change_ && change >= *crash_change_) crashed_ = true;
  }
  if (crashed_) return fail(crashed_errno, what, name);
  if (!fail_call_ || call < *fail_call_) return std::nullopt;
  if (call > *fail_call_ && !fail_for_good_) return std::nullopt;
  return fail(fail_error_, what, name);
}

Error SimDisk::fail(int error, const char* what, const std::string& name) {
  failure_ = error;
  return Error{Code::io, error, what, name};
}

SimDisk::File* SimDisk::find(const std::string& name) {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &files_.at(found->second);
}

Result<std::vector<std::string>> SimDisk::list() {
  if (auto error = step(Call::reads, "listing", "")) return *error;
  std::vector<std::string> names;
  for (const auto& [name, file] : names_) names.push_back(name);
  return names;
}

Result<std::uint64_t> SimDisk::size(const std::string& name) {
  if (auto error = step(Call::reads, "asking the size of", name)) return *error;
  const File* file = find(name);
  if (file == nullptr) return Error{Code::io, ENOENT, "asking the size of", name};
  return std::uint64_t{file->bytes.size()};
}

Result<std::string> SimDisk::read(const std::string& name, std::uint64_t offset,
                                  std::uint64_t length) {
  if (auto error = step(Call::reads, "reading", name)) return *error;
  const File* file = find(name);
  if (file == nullptr) return Error{Code::io, ENOENT, "reading", name};
  if (is_unreadable(*file, offset, length)) return fail(EIO, "reading", name);
  if (offset >= file->bytes.size()) return std::string();
  return file->bytes.substr(offset, length);
}

bool SimDisk::is_unreadable(const File& file, std::uint64_t offset, std::uint64_t length) const {
  if (!file.lost_is_unreadable || length == 0) return false;
  const auto at = file.lost.lower_bound(offset / sector_size);
  return at != file.lost.end() && at->first <= (offset + (length - 1)) / sector_size;
}

void SimDisk::put(File& file, std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const std::uint64_t end = offset + bytes.size();
  file.written.push_back(
      {++last_number_, offset / sector_size, (end + sector_size - 1) / sector_size});
  for (std::uint64_t s = offset / sector_size; s * sector_size < end; ++s) {
    const auto lost = file.lost.find(s);
    const bool is_durable = s * sector_size < file.durable_size;
    if (lost != file.lost.end()) {
      if (is_durable) file.old.emplace(s, std::move(lost->second));
      file.lost.erase(lost);
    } else if (is_durable && file.old.find(s) == file.old.end()) {
      const std::uint64_t size = std::min(sector_size, file.durable_size - s * sector_size);
      file.old.emplace(s, file.bytes.substr(s * sector_size, size));
    }
  }
  if (end > file.bytes.size()) file.bytes.resize(end, '\0');
  file.bytes.replace(offset, bytes.size(), bytes);
}

std::uint64_t SimDisk::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : names_) bytes += files_.at(file).bytes.size();
  return bytes;
}

// Of a write that fails.
std::string_view SimDisk::part_written(std::uint64_t before, std::uint64_t offset,
                                       std::string_view bytes) const {
  if (failed_write_ == FailedWrite::nothing) return {};
  if (failed_write_ == FailedWrite::short_write) return bytes.substr(0, bytes.size() * 2 / 3);
  const std::string_view half = bytes.substr(0, bytes.size() / 2 / sector_size * sector_size);
  return offset + half.size() > before ? std::string_view() : half;
}

Status SimDisk::write(const std::string& name, std::uint64_t offset, std::string_view bytes) {
  auto error = step(Call::changes, "writing", name);
  if (error && error->sys == crashed_errno) return *error;
  const auto found = names_.find(name);
  const std::uint64_t before = found == names_.end() ? 0 : files_.at(found->second).bytes.size();
  const std::uint64_t end = offset + bytes.size();
  if (!error && space_ && end > before && used() + (end - before) > *space_)
    error = fail(ENOSPC, "writing", name);
  if (error) bytes = part_written(before, offset, bytes);
  if (error && found == names_.end() && bytes.empty()) return *error;
  FileId id = found == names_.end() ? 0 : found->second;
  if (id == 0) {
    id = next_file_++;
    change_name("", name, id);
  }
  put(files_[id], offset, bytes);
  last_file_ = id;
  last_offset_ = offset;
  last_length_ = bytes.size();
  bytes_written_ += bytes.size();
  if (error) return *error;
  return ok;
}

Status SimDisk::sync(const std::string& name) {
  auto error = step(Call::changes, "syncing", name);
  File* file = find(name);
  if (!error && file == nullptr) error = Error{Code::io, ENOENT, "syncing", name};
  if (error) {
    if (error->sys == crashed_errno) return *error;
    ++failed_syncs_;
    if (file != nullptr) drop_unsynced(*file);
    return *error;
  }
  file->durable_size = file->bytes.size();
  file->old.clear();
  file->written.clear();
  ++syncs_;
  if (on_synced) on_synced(name);
  return ok;
}

Status SimDisk::push(const std::string& name, std::uint64_t, std::uint64_t) {
  if (auto error = step(Call::reads, "writing", name)) return *error;
  return ok;
}

// The kernel marks the pages clean after a failed sync: nothing will ever write them.
void SimDisk::drop_unsynced(File& file) {
  if (failed_sync_ == FailedSync::shows_old) {
    for (const auto& [sector, content] : file.old)
      file.bytes.replace(sector * sector_size, content.size(), content);
    file.bytes.resize(file.durable_size);
  } else {
    const std::uint64_t first_new = (file.durable_size + sector_size - 1) / sector_size;
    for (auto& [sector, content] : file.old) file.lost[sector] = std::move(content);
    for (std::uint64_t s = first_new; s * sector_size < file.bytes.size(); ++s)
      file.lost.emplace(s, std::string());
  }
  file.lost_is_unreadable = failed_sync_ == FailedSync::reads_fail;
  file.old.clear();
  file.written.clear();
}

void SimDisk::apply(const NameChange& change, std::map<std::string, FileId>& names) {
  if (!change.from.empty()) {
    const auto from = names.find(change.from);
    if (from != names.end() && from->second == change.file) names.erase(from);
  }
  if (!change.to.empty()) names[change.to] = change.file;
}

void SimDisk::change_name(std::string from, std::string to, FileId file) {
  changes_.push_back({std::move(from), std::move(to), file, ++last_number_});
  apply(changes_.back(), names_);
}

Status SimDisk::rename(const std::string& from, const std::string& to) {
  if (auto error = step(Call::changes, "renaming", from)) return *error;
  const auto found = names_.find(from);
  if (found == names_.end()) return Error{Code::io, ENOENT, "renaming", from};
  change_name(from, to, found->second);
  return ok;
}

Status SimDisk::remove(const std::string& name) {
  if (auto error = step(Call::changes, "removing", name)) return *error;
  const auto found = names_.find(name);
  if (found == names_.end()) return Error{Code::io, ENOENT, "removing", name};
  change_name(name, "", found->second);
  return ok;
}

Status SimDisk::sync_directory() {
  if (auto error = step(Call::changes, "syncing the directory", "")) return *error;
  durable_names_ = names_;
  changes_.clear();
  forget_unnamed();
  ++syncs_;
  if (on_synced) on_synced("");
  return ok;
}

void SimDisk::forget_unnamed() {
  std::set<FileId> named;
  for (const auto& [name, file] : names_) named.insert(file);
  for (const auto& [name, file] : durable_names_) named.insert(file);
  for (const NameChange& change : changes_) named.insert(change.file);
  for (auto file = files_.begin(); file != files_.end();)
    file = named.count(file->first) == 0 ? files_.erase(file) : std::next(file);
}

void SimDisk::kill() {
  if (crashed_) clear_faults();
}

std::unique_ptr<SimDisk> SimDisk::clone() const {
  auto copy = std::make_unique<SimDisk>();
  copy->files_ = files_;
  copy->names_ = names_;
  copy->durable_names_ = durable_names_;
  copy->changes_ = changes_;
  copy->next_file_ = next_file_;
  copy->last_file_ = last_file_;
  copy->last_offset_ = last_offset_;
  copy->last_length_ = last_length_;
  copy->last_number_ = last_number_;
  copy->space_ = space_;
  copy->failed_sync_ = failed_sync_;
  copy->failed_write_ = failed_write_;
  return copy;
}

// --- faults ----------------------------------------------------------------------------------

void SimDisk::fail_call(std::uint64_t n, int error, bool for_good) {
  fail_call_ = calls_ + n;
  fail_error_ = error;
  fail_for_good_ = for_good;
}

void SimDisk::crash_at(std::uint64_t n) { crash_call_ = calls_ + n; }

void SimDisk::crash_at_change(std::uint64_t n) { crash_change_ = changing_calls_ + n; }

void SimDisk::clear_faults() {
  crashed_ = false;
  crash_call_.reset();
  crash_change_.reset();
  fail_call_.reset();
}

void SimDisk::flip_bit(const std::string& name, std::uint64_t bit) {
  File* file = find(name);
  ZATT_ASSERT(file != nullptr && bit / 8 < file->bytes.size());
  const char flipped =
      static_cast<char>(static_cast<unsigned char>(file->bytes[bit / 8]) ^ (1U << (bit % 8)));
  overwrite_at_rest(name, bit / 8, std::string_view(&flipped, 1));
}

void SimDisk::overwrite_at_rest(const std::string& name, std::uint64_t offset,
                                std::string_view bytes) {
  File* file = find(name);
  ZATT_ASSERT(file != nullptr && offset + bytes.size() <= file->bytes.size());
  file->bytes.replace(offset, bytes.size(), bytes);
}

void SimDisk::cut_at_rest(const std::string& name, std::uint64_t size) {
  File* file = find(name);
  ZATT_ASSERT(file != nullptr && size <= file->bytes.size());
  file->bytes.resize(size);
  file->durable_size = std::min(file->durable_size, size);
  const std::uint64_t first_gone = (size + sector_size - 1) / sector_size;
  file->old.erase(file->old.lower_bound(first_gone), file->old.end());
  file->lost.erase(file->lost.lower_bound(first_gone), file->lost.end());
  std::erase_if(file->written, [&](const Written& w) { return w.end > first_gone; });
}

// --- what the device holds -------------------------------------------------------------------

bool SimDisk::is_name_durable(const std::string& name) const {
  const auto now = names_.find(name);
  const auto durable = durable_names_.find(name);
  return now != names_.end() && durable != durable_names_.end() && now->second == durable->second;
}

std::string SimDisk::durable_sector(const File& file, std::uint64_t sector) {
  const auto old = file.old.find(sector);
  if (old != file.old.end()) return old->second;
  const auto lost = file.lost.find(sector);
  if (lost != file.lost.end()) return lost->second;
  if (sector * sector_size >= file.durable_size) return {};
  const std::uint64_t size = std::min(sector_size, file.durable_size - sector * sector_size);
  return file.bytes.substr(sector * sector_size, size);
}

std::vector<std::string> SimDisk::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : names_) names.push_back(name);
  return names;
}

std::vector<std::string> SimDisk::durable_names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : durable_names_) names.push_back(name);
  return names;
}

std::uint64_t SimDisk::durable_size(const std::string& name) const {
  const auto found = durable_names_.find(name);
  return found == durable_names_.end() ? 0 : files_.at(found->second).durable_size;
}

std::string SimDisk::durable_read(const std::string& name, std::uint64_t offset,
                                  std::uint64_t length) const {
  const auto found = durable_names_.find(name);
  if (found == durable_names_.end()) return {};
  const File& file = files_.at(found->second);
  const std::uint64_t end =
      std::min(file.durable_size, offset + std::min(length, file.durable_size));
  if (offset >= end) return {};
  const auto has_any = [&](const std::map<std::uint64_t, std::string>& sectors) {
    const auto at = sectors.lower_bound(offset / sector_size);
    return at != sectors.end() && at->first * sector_size < end;
  };
  if (!has_any(file.old) && !has_any(file.lost)) return file.bytes.substr(offset, end - offset);
  std::string out;
  for (std::uint64_t s = offset / sector_size; s * sector_size < end; ++s) {
    std::string sector = durable_sector(file, s);
    sector.resize(sector_size, '\0');
    out += sector;
  }
  return out.substr(offset % sector_size, end - offset);
}

}  // namespace zatt::test
