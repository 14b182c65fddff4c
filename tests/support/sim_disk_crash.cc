// SPDX-License-Identifier: AGPL-3.0-or-later
// What is left on a simulated disk when the power fails.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "tests/support/sim_disk.h"

namespace zatt::test {

// A sector or a directory operation, and what becomes of it.
struct SimDisk::Item {
  enum class Fate : std::uint8_t { old, now, zeros, noise };
  bool is_name = false;
  std::size_t change = 0;  // of changes_
  FileId file = 0;
  std::uint64_t sector = 0;
  std::uint64_t number = 0;  // of the write or change; 0: no write was ever there
  Fate fate = Fate::old;

  std::uint64_t unit() const { return sector / 8; }
  bool is_in_unit_of(const Item& other) const {
    return !is_name && !other.is_name && file == other.file && unit() == other.unit();
  }
  bool is(const Item& other) const {
    return is_name ? other.is_name && change == other.change
                   : is_in_unit_of(other) && sector == other.sector;
  }
};

namespace {

constexpr std::uint64_t sector_size = SimDisk::sector_size;

std::string noise(Prng& prng) {
  std::string bytes(sector_size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng.next() & 0xff);
  return bytes;
}

// As much of it as the file has; zeros behind `content`.
void put_sector(std::string& bytes, std::uint64_t sector, std::string_view content) {
  const std::uint64_t begin = sector * sector_size;
  if (begin >= bytes.size()) return;
  const std::size_t room = std::min<std::size_t>(sector_size, bytes.size() - begin);
  content = content.substr(0, room);
  bytes.replace(begin, content.size(), content);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin + content.size()),
              room - content.size(), '\0');
}

}  // namespace

const char* to_string(Crash mode) {
  const char* const names[] = {"all_lost",  "all_kept",   "one_kept", "one_lost", "torn_last",
                               "data_lost", "names_lost", "in_order", "reversed", "random"};
  return names[static_cast<std::size_t>(mode)];
}

// --- what is in doubt ------------------------------------------------------------------------

std::vector<std::uint64_t> SimDisk::unsynced_sectors(const File& file) {
  std::vector<std::uint64_t> sectors;
  for (const auto& [sector, content] : file.old) sectors.push_back(sector);
  for (std::uint64_t s = (file.durable_size + sector_size - 1) / sector_size;
       s * sector_size < file.bytes.size(); ++s)
    if (file.lost.find(s) == file.lost.end()) sectors.push_back(s);
  return sectors;
}

std::vector<SimDisk::Item> SimDisk::unsynced() const {
  std::vector<Item> items;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    Item item;
    item.is_name = true;
    item.change = i;
    item.number = changes_[i].number;
    items.push_back(item);
  }
  for (const auto& [id, file] : files_) {
    for (const std::uint64_t sector : unsynced_sectors(file)) {
      Item item;
      item.file = id;
      item.sector = sector;
      for (const Written& written : file.written)
        if (written.first <= sector && sector < written.end) item.number = written.number;
      items.push_back(item);
    }
  }
  return items;
}

// The first item of each unit that has several.
std::vector<SimDisk::Item> SimDisk::units(const std::vector<Item>& items) {
  std::vector<Item> firsts;
  for (std::size_t i = 1; i < items.size(); ++i)
    if (items[i].is_in_unit_of(items[i - 1]) && (i == 1 || !items[i].is_in_unit_of(items[i - 2])))
      firsts.push_back(items[i - 1]);
  return firsts;
}

std::vector<std::uint64_t> SimDisk::numbers(const std::vector<Item>& items) {
  std::vector<std::uint64_t> numbers;
  for (const Item& item : items) numbers.push_back(item.number);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

std::uint64_t SimDisk::sectors_written_last() const {
  return (last_length_ + sector_size - 1) / sector_size;
}

// --- which of it is kept ---------------------------------------------------------------------

std::uint64_t SimDisk::choices(Crash mode) const {
  switch (mode) {
    case Crash::one_kept:
    case Crash::one_lost: {
      const std::vector<Item> items = unsynced();
      return items.size() + units(items).size();
    }
    case Crash::torn_last: {
      const auto file = files_.find(last_file_);
      return file == files_.end() || file->second.written.empty() ? 0 : sectors_written_last();
    }
    case Crash::data_lost:
      return 2;  // with the files as long as before, or as long as they are
    case Crash::in_order:
    case Crash::reversed: {
      const std::size_t count = numbers(unsynced()).size();
      return count < 2 ? 0 : count - 1;
    }
    case Crash::all_lost:
    case Crash::all_kept:
    case Crash::names_lost:
    case Crash::random:
      break;
  }
  return 1;
}

void SimDisk::choose_one(std::vector<Item>& items, Crash mode, std::uint64_t choice) const {
  const std::vector<Item> firsts = units(items);
  if (choice >= items.size() + firsts.size()) return;
  const bool whole_unit = choice >= items.size();
  const Item one = whole_unit ? firsts[choice - items.size()] : items[choice];
  for (Item& item : items) {
    const bool is_it = whole_unit ? item.is_in_unit_of(one) : item.is(one);
    item.fate = is_it == (mode == Crash::one_kept) ? Item::Fate::now : Item::Fate::old;
  }
}

void SimDisk::choose_at_random(std::vector<Item>& items, Prng& prng) const {
  const bool prefix = prng.chance(1, 2);  // of the directory's operations, as ext4 keeps them
  const std::uint64_t kept = prng.below(changes_.size() + 1);
  for (Item& item : items) {
    const std::uint64_t draw = prng.below(4);
    if (!item.is_name) item.fate = static_cast<Item::Fate>(draw);
    if (item.is_name)
      item.fate = (prefix ? item.change < kept : draw % 2 == 0) ? Item::Fate::now : Item::Fate::old;
  }
}

void SimDisk::choose(std::vector<Item>& items, Prng& prng, Crash mode, std::uint64_t choice) const {
  const auto keep = [&items](auto&& is_kept) {
    for (Item& item : items) item.fate = is_kept(item) ? Item::Fate::now : Item::Fate::old;
  };
  switch (mode) {
    case Crash::all_lost:
      return;
    case Crash::all_kept:
      return keep([](const Item&) { return true; });
    case Crash::data_lost:
      return keep([](const Item& item) { return item.is_name; });
    case Crash::names_lost:
      return keep([](const Item& item) { return !item.is_name; });
    case Crash::torn_last: {
      const std::uint64_t first = last_offset_ / sector_size + choice;
      const std::uint64_t end = last_offset_ / sector_size + sectors_written_last();
      return keep([this, first, end](const Item& item) {
        return item.is_name || item.file != last_file_ || item.sector < first || item.sector >= end;
      });
    }
    case Crash::in_order:
    case Crash::reversed: {
      const std::vector<std::uint64_t> in_order = numbers(items);
      if (in_order.empty()) return;
      const std::size_t last = in_order.size() - 1;
      const std::uint64_t at = in_order[std::min<std::uint64_t>(choice, last)];
      return keep([mode, at](const Item& item) {
        return mode == Crash::in_order ? item.number <= at : item.number > at;
      });
    }
    case Crash::one_kept:
    case Crash::one_lost:
      return choose_one(items, mode, choice);
    case Crash::random:
      break;
  }
  choose_at_random(items, prng);
}

// A file is at least as long as what was kept of it needs, up to `kept_end`.
std::uint64_t SimDisk::size_after(const File& file, std::uint64_t kept_end, Prng& prng, Crash mode,
                                  std::uint64_t choice) {
  switch (mode) {
    case Crash::all_lost:
      return file.durable_size;
    case Crash::all_kept:
    case Crash::one_lost:
    case Crash::torn_last:
    case Crash::names_lost:
      return file.bytes.size();
    case Crash::data_lost:
      return choice % 2 == 0 ? file.durable_size : file.bytes.size();
    case Crash::random:
      return prng.chance(1, 2) ? file.bytes.size() : file.durable_size;
    case Crash::one_kept:
    case Crash::in_order:
    case Crash::reversed:
      break;
  }
  return std::min<std::uint64_t>(std::max(file.durable_size, kept_end), file.bytes.size());
}

// --- the crash -------------------------------------------------------------------------------

void SimDisk::crash(Prng& prng, Crash mode) {
  const std::uint64_t count = choices(mode);
  crash(prng, mode, count == 0 ? 0 : prng.below(count));
}

void SimDisk::crash(Prng& prng, Crash mode, std::uint64_t choice) {
  std::vector<Item> items = unsynced();
  choose(items, prng, mode, choice);
  std::map<std::string, FileId> names = durable_names_;
  std::map<FileId, std::uint64_t> kept_ends;
  for (const Item& item : items) {
    if (item.fate == Item::Fate::now && item.is_name) apply(changes_[item.change], names);
    if (item.fate != Item::Fate::old && !item.is_name)
      kept_ends[item.file] = (item.sector + 1) * sector_size;
  }
  for (auto& [id, file] : files_) {
    const auto kept = kept_ends.find(id);
    const std::uint64_t kept_end = kept == kept_ends.end() ? 0 : kept->second;
    file.bytes.resize(size_after(file, kept_end, prng, mode, choice), '\0');
    for (const auto& [sector, content] : file.lost) put_sector(file.bytes, sector, content);
  }
  for (const Item& item : items) {
    if (item.is_name || item.fate == Item::Fate::now) continue;
    File& file = files_.at(item.file);
    const auto old = file.old.find(item.sector);
    if (item.fate == Item::Fate::noise)
      put_sector(file.bytes, item.sector, noise(prng));
    else if (item.fate == Item::Fate::old && old != file.old.end())
      put_sector(file.bytes, item.sector, old->second);
    else
      put_sector(file.bytes, item.sector, {});
  }
  for (auto& [id, file] : files_) {
    file.durable_size = file.bytes.size();
    file.old.clear();
    file.lost.clear();
    file.lost_is_unreadable = false;
    file.written.clear();
  }
  names_ = names;
  durable_names_ = std::move(names);
  changes_.clear();
  forget_unnamed();
  clear_faults();
}

}  // namespace zatt::test
