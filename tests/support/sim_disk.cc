// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace zatt::test {

// A sector or a directory operation, and what becomes of it.
struct SimDisk::Item {
  enum class Fate : std::uint8_t { old, now, zeros, noise };
  bool is_name = false;
  std::size_t change = 0;  // of changes_
  FileId file = 0;
  std::uint64_t sector = 0;
  Fate fate = Fate::old;
};

static_assert(SimDisk::crashed_errno == ESHUTDOWN);

namespace {

constexpr std::uint64_t sector_size = SimDisk::sector_size;
constexpr std::uint64_t sectors_a_unit = 8;

std::string noise(Prng& prng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng.next() & 0xff);
  return bytes;
}

void put_sector(std::string& bytes, std::uint64_t sector, std::string_view content) {
  const std::uint64_t begin = sector * sector_size;
  if (begin >= bytes.size()) return;
  const std::size_t room = std::min<std::size_t>(sector_size, bytes.size() - begin);
  std::string whole(content.substr(0, std::min(room, content.size())));
  whole.resize(room, '\0');
  bytes.replace(begin, room, whole);
}

}  // namespace

// --- the calls
// ------------------------------------------------------------------------------------

std::optional<Error> SimDisk::step(const char* what, const std::string& name) {
  const std::uint64_t call = calls_++;
  if (crash_call_ && call >= *crash_call_) crashed_ = true;
  if (crashed_) return Error{Code::io, crashed_errno, what, name};
  if (!fail_call_ || call < *fail_call_) return std::nullopt;
  if (call > *fail_call_ && !fail_for_good_) return std::nullopt;
  return Error{Code::io, fail_error_, what, name};
}

SimDisk::File* SimDisk::find(const std::string& name) {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &files_.at(found->second);
}

Result<std::vector<std::string>> SimDisk::list() {
  if (auto error = step("listing", "")) return *error;
  std::vector<std::string> names;
  for (const auto& [name, file] : names_) names.push_back(name);
  return names;
}

Result<std::uint64_t> SimDisk::size(const std::string& name) {
  if (auto error = step("asking the size of", name)) return *error;
  const File* file = find(name);
  if (file == nullptr) return Error{Code::io, ENOENT, "asking the size of", name};
  return std::uint64_t{file->bytes.size()};
}

Result<std::string> SimDisk::read(const std::string& name, std::uint64_t offset,
                                  std::uint64_t length) {
  if (auto error = step("reading", name)) return *error;
  const File* file = find(name);
  if (file == nullptr) return Error{Code::io, ENOENT, "reading", name};
  if (offset >= file->bytes.size()) return std::string();
  return file->bytes.substr(offset, length);
}

void SimDisk::put(File& file, std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const std::uint64_t end = offset + bytes.size();
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

Status SimDisk::write(const std::string& name, std::uint64_t offset, std::string_view bytes) {
  auto error = step("writing", name);
  if (error && error->sys == crashed_errno) return *error;
  const auto found = names_.find(name);
  const std::uint64_t before = found == names_.end() ? 0 : files_.at(found->second).bytes.size();
  const std::uint64_t end = offset + bytes.size();
  if (!error && space_ && end > before && used() + (end - before) > *space_)
    error = Error{Code::io, ENOSPC, "writing", name};
  if (error && found == names_.end()) return *error;
  if (error) {  // the system says no in the middle of a write
    bytes = bytes.substr(0, bytes.size() / 2 / sector_size * sector_size);
    if (offset + bytes.size() > before) bytes = {};
  }
  FileId id = found == names_.end() ? 0 : found->second;
  if (id == 0) {
    id = next_file_++;
    names_[name] = id;
    changes_.push_back({"", name, id});
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
  auto error = step("syncing", name);
  File* file = find(name);
  if (!error && file == nullptr) error = Error{Code::io, ENOENT, "syncing", name};
  if (error) {
    if (file != nullptr && error->sys != crashed_errno) drop_unsynced(*file);
    return *error;
  }
  file->durable_size = file->bytes.size();
  file->old.clear();
  ++syncs_;
  if (on_synced) on_synced(name);
  return ok;
}

// The kernel marks the pages clean after a failed sync: nothing will ever write them.
void SimDisk::drop_unsynced(File& file) {
  if (failed_sync_ == FailedSync::shows_old) {
    for (const auto& [sector, content] : file.old) put_sector(file.bytes, sector, content);
    file.bytes.resize(file.durable_size);
  } else {
    const std::uint64_t first_new = (file.durable_size + sector_size - 1) / sector_size;
    for (auto& [sector, content] : file.old) file.lost[sector] = std::move(content);
    for (std::uint64_t s = first_new; s * sector_size < file.bytes.size(); ++s)
      file.lost.emplace(s, std::string());
  }
  file.old.clear();
}

void SimDisk::apply(const NameChange& change, std::map<std::string, FileId>& names) {
  if (!change.from.empty()) {
    const auto from = names.find(change.from);
    if (from != names.end() && from->second == change.file) names.erase(from);
  }
  if (!change.to.empty()) names[change.to] = change.file;
}

Status SimDisk::rename(const std::string& from, const std::string& to) {
  if (auto error = step("renaming", from)) return *error;
  const auto found = names_.find(from);
  if (found == names_.end()) return Error{Code::io, ENOENT, "renaming", from};
  changes_.push_back({from, to, found->second});
  apply(changes_.back(), names_);
  return ok;
}

Status SimDisk::remove(const std::string& name) {
  if (auto error = step("removing", name)) return *error;
  const auto found = names_.find(name);
  if (found == names_.end()) return Error{Code::io, ENOENT, "removing", name};
  changes_.push_back({name, "", found->second});
  apply(changes_.back(), names_);
  return ok;
}

Status SimDisk::sync_directory() {
  if (auto error = step("syncing the directory", "")) return *error;
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

// --- crashes
// --------------------------------------------------------------------------------------

std::vector<std::uint64_t> SimDisk::unsynced_sectors(const File& file) {
  std::set<std::uint64_t> sectors;
  for (const auto& [sector, content] : file.old) sectors.insert(sector);
  for (std::uint64_t s = (file.durable_size + sector_size - 1) / sector_size;
       s * sector_size < file.bytes.size(); ++s)
    if (file.lost.find(s) == file.lost.end()) sectors.insert(s);
  return {sectors.begin(), sectors.end()};
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

std::vector<SimDisk::Item> SimDisk::unsynced() const {
  std::vector<Item> items;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    Item item;
    item.is_name = true;
    item.change = i;
    items.push_back(item);
  }
  for (const auto& [id, file] : files_) {
    for (const std::uint64_t sector : unsynced_sectors(file)) {
      Item item;
      item.file = id;
      item.sector = sector;
      items.push_back(item);
    }
  }
  return items;
}

void SimDisk::choose(std::vector<Item>& items, Prng& prng, Crash mode) const {
  using Fate = Item::Fate;
  const auto each = [&items](auto&& fate) {
    for (Item& item : items) item.fate = fate(item) ? Fate::now : Fate::old;
  };
  switch (mode) {
    case Crash::all_lost:
      return each([](const Item&) { return false; });
    case Crash::all_kept:
      return each([](const Item&) { return true; });
    case Crash::data_lost:
      return each([](const Item& item) { return item.is_name; });
    case Crash::names_lost:
      return each([](const Item& item) { return !item.is_name; });
    case Crash::torn_last: {
      each([](const Item&) { return true; });
      const std::uint64_t first = last_offset_ / sector_size;
      const std::uint64_t sectors = (last_length_ + sector_size - 1) / sector_size;
      const std::uint64_t kept = sectors == 0 ? 0 : prng.below(sectors);
      for (Item& item : items)
        if (!item.is_name && item.file == last_file_ && item.sector >= first + kept)
          item.fate = Fate::old;
      return;
    }
    case Crash::one_kept:
    case Crash::one_lost: {
      if (items.empty()) return;
      const Item one = items[prng.below(items.size())];
      const bool whole_unit = prng.chance(1, 2);
      const auto is_it = [&](const Item& item) {
        if (item.is_name != one.is_name) return false;
        if (item.is_name) return item.change == one.change;
        if (item.file != one.file) return false;
        return whole_unit ? item.sector / sectors_a_unit == one.sector / sectors_a_unit
                          : item.sector == one.sector;
      };
      return each([&](const Item& item) { return is_it(item) == (mode == Crash::one_kept); });
    }
    case Crash::random:
      break;
  }
  const bool prefix = prng.chance(1, 2);  // of the directory's operations, as ext4 keeps them
  const std::uint64_t kept = prng.below(changes_.size() + 1);
  for (Item& item : items) {
    const std::uint64_t draw = prng.below(4);
    if (!item.is_name) item.fate = static_cast<Fate>(draw);
    if (item.is_name)
      item.fate = (prefix ? item.change < kept : draw % 2 == 0) ? Fate::now : Fate::old;
  }
}

void SimDisk::crash(Prng& prng, Crash mode) {
  std::vector<Item> items = unsynced();
  choose(items, prng, mode);
  std::map<FileId, std::string> images;
  for (auto& [id, file] : files_) {
    std::uint64_t size = file.durable_size;
    bool shows_new = mode == Crash::all_kept || mode == Crash::one_lost ||
                     mode == Crash::torn_last || mode == Crash::names_lost;
    if (mode == Crash::random || mode == Crash::data_lost) shows_new = prng.chance(1, 2);
    for (const Item& item : items)  // a file is as long as what was written last in it needs
      if (!item.is_name && item.file == id && item.fate != Item::Fate::old &&
          (item.sector + 1) * sector_size > size && mode == Crash::one_kept)
        size = std::min<std::uint64_t>((item.sector + 1) * sector_size, file.bytes.size());
    if (shows_new) size = file.bytes.size();
    std::string image = file.bytes.substr(0, size);
    image.resize(size, '\0');
    for (const auto& [sector, content] : file.old) put_sector(image, sector, content);
    for (const auto& [sector, content] : file.lost) put_sector(image, sector, content);
    for (std::uint64_t s = (file.durable_size + sector_size - 1) / sector_size;
         s * sector_size < size; ++s)
      put_sector(image, s, {});
    images[id] = std::move(image);
  }
  std::map<std::string, FileId> names = durable_names_;
  for (const Item& item : items) {
    if (item.fate == Item::Fate::old) continue;
    if (item.is_name) {
      apply(changes_[item.change], names);
      continue;
    }
    std::string& image = images[item.file];
    if (item.fate == Item::Fate::now) {
      const File& file = files_.at(item.file);
      put_sector(image, item.sector,
                 std::string_view(file.bytes).substr(item.sector * sector_size, sector_size));
    } else {
      put_sector(image, item.sector,
                 item.fate == Item::Fate::noise ? noise(prng, sector_size) : std::string());
    }
  }
  for (auto& [id, image] : images) {
    File file;
    file.durable_size = image.size();
    file.bytes = std::move(image);
    files_[id] = std::move(file);
  }
  names_ = names;
  durable_names_ = std::move(names);
  changes_.clear();
  forget_unnamed();
  clear_faults();
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
  copy->space_ = space_;
  copy->failed_sync_ = failed_sync_;
  return copy;
}

// --- faults
// ---------------------------------------------------------------------------------------

void SimDisk::fail_call(std::uint64_t n, int error, bool for_good) {
  fail_call_ = calls_ + n;
  fail_error_ = error;
  fail_for_good_ = for_good;
}

void SimDisk::crash_at(std::uint64_t n) { crash_call_ = calls_ + n; }

void SimDisk::clear_faults() {
  crashed_ = false;
  crash_call_.reset();
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

// --- what the device holds
// ------------------------------------------------------------------------

bool SimDisk::is_name_durable(const std::string& name) const {
  const auto now = names_.find(name);
  const auto durable = durable_names_.find(name);
  return now != names_.end() && durable != durable_names_.end() && now->second == durable->second;
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
