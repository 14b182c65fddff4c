// SPDX-License-Identifier: AGPL-3.0-or-later
#include "tests/support/durable_log.h"

#include <algorithm>

#include "base/checksum.h"

namespace zatt::test {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t second_slot = 64 * 1024;
constexpr std::uint64_t first_note = 2 * second_slot;
constexpr std::uint64_t header_bytes = 84;
constexpr std::uint64_t log_end_bytes = 8 + 8 + 8 + 8 + 8 + 1;
constexpr std::uint64_t record_head = 8 + 4 + 1 + 8 + 8 + 8 + 8 + 8;

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t n = 0;
  for (std::size_t i = width; i > 0; --i)
    n = n << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return n;
}

// The number in "<number>.seg".
std::optional<std::uint64_t> segment_number(const std::string& name) {
  if (name.size() < 5 || name.compare(name.size() - 4, 4, ".seg") != 0) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i + 4 < name.size(); ++i) {
    if (name[i] < '0' || name[i] > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(name[i] - '0');
  }
  return number;
}

std::optional<MemberId> server_at(std::string_view& bytes) {
  if (bytes.size() < 4) return std::nullopt;
  const std::uint64_t length = number_at(bytes, 0, 4);
  if (bytes.size() < 4 + length + 8) return std::nullopt;
  MemberId server{std::string(bytes.substr(4, length)), number_at(bytes, 4 + length, 8)};
  bytes.remove_prefix(4 + length + 8);
  return server;
}

std::optional<DurableLog::Vote> parse_slot(std::string_view bytes, std::uint64_t slot) {
  constexpr std::size_t head = 8 + 8 + 4 + 8 + 4;
  if (bytes.size() < head) return std::nullopt;
  const std::uint64_t length = number_at(bytes, 28, 4);
  if (length > bytes.size() - head) return std::nullopt;
  if (checksum(bytes.substr(8, head - 8 + length), slot) != number_at(bytes, 0, 8))
    return std::nullopt;
  if (length < log_end_bytes) return std::nullopt;
  DurableLog::Vote vote;
  vote.number = number_at(bytes, 20, 8);
  vote.log_end = {number_at(bytes, head, 8), number_at(bytes, head + 8, 8),
                  number_at(bytes, head + 24, 8)};
  if (slot >= 2) return vote;  // a note
  std::string_view body = bytes.substr(head + log_end_bytes, length - log_end_bytes);
  if (!server_at(body) || body.size() < 17) return std::nullopt;
  vote.current_term = Term{number_at(body, 8, 8)};
  const bool voted = body[16] == 1;
  body.remove_prefix(17);
  if (voted) vote.voted_for = server_at(body);
  return vote;
}

}  // namespace

DurableLog::DurableLog(SimDisk& disk) : disk_(&disk) {
  disk.on_synced = [this](const std::string& name) { on_synced(name); };
  rescan();
}

DurableLog::~DurableLog() { disk_->on_synced = nullptr; }

void DurableLog::rescan() {
  segments_.clear();
  problem_.clear();
  read_slots();
  for (const std::string& name : disk_->durable_names())
    if (const auto number = segment_number(name)) follow(name, *number, true);
}

void DurableLog::on_synced(const std::string& name) {
  if (name == "hard_state") read_slots();
  if (!name.empty()) {
    if (const auto number = segment_number(name); number && disk_->is_name_durable(name))
      follow(name, *number, false);
    return;
  }
  // Names came and went. A number never means another segment: what is known stays known.
  read_slots();
  const std::vector<std::string> names = disk_->durable_names();
  for (const std::string& durable : names)
    if (const auto number = segment_number(durable)) follow(durable, *number, false);
  std::map<std::uint64_t, Segment> kept;
  for (const std::string& durable : names)
    if (const auto number = segment_number(durable))
      if (auto segment = segments_.extract(*number); !segment.empty())
        kept.insert(std::move(segment));
  segments_ = std::move(kept);
}

void DurableLog::read_slots() {
  for (std::uint64_t i = 0; i < 2; ++i) {
    std::string bytes = disk_->durable_read("hard_state", i * second_slot, page);
    if (bytes.size() == page && number_at(bytes, 28, 4) > page - 32)
      bytes = disk_->durable_read("hard_state", i * second_slot, second_slot);
    slots_[i] = parse_slot(bytes, i);
  }
  for (std::uint64_t i = 0; i < 2; ++i)
    notes_[i] = parse_slot(disk_->durable_read("hard_state", first_note + i * page, page), 2 + i);
}

// Reads the header of a segment not yet known. False: it has none.
bool DurableLog::begin(const std::string& name, std::uint64_t number, bool verify) {
  const std::string bytes = disk_->durable_read(name, 0, header_bytes);
  if (bytes.size() < header_bytes || number_at(bytes, 20, 8) != number) return false;
  Segment segment;
  segment.incarnation = number_at(bytes, 28, 8);
  const std::uint64_t key = checksum_key(segment.incarnation, number);
  if (checksum(std::string_view(bytes).substr(8), key) != number_at(bytes, 0, 8)) return false;
  segment.first_index = number_at(bytes, 36, 8);
  segment.position = page;
  segment.predecessor = segment.checksum = number_at(bytes, 52, 8);
  const std::uint64_t term = number_at(bytes, 44, 8);
  const std::uint64_t before = segment.first_index - 1;
  if (verify && before > in_doubt_up_to_ && problem_.empty() &&
      !holds(before, term, segment.checksum))
    problem_ = name + " is durable before entry " + std::to_string(before) + ", which it follows";
  segments_.emplace(number, std::move(segment));
  return true;
}

// The record at `at`, reading no more of the file than it needs.
std::optional<DurableLog::Parsed> DurableLog::record_at(const std::string& name, std::uint64_t at,
                                                        std::uint64_t key) const {
  std::string bytes = disk_->durable_read(name, at, record_head);
  if (bytes.size() < record_head || bytes[12] == 0) return std::nullopt;
  const std::uint64_t size = record_head + number_at(bytes, 8, 4);
  if (size > record_head) bytes = disk_->durable_read(name, at, size);
  if (bytes.size() < size) return std::nullopt;
  Parsed record;
  record.size = size;
  record.checksum = number_at(bytes, 0, 8);
  if (checksum(std::string_view(bytes).substr(8), key) != record.checksum) return std::nullopt;
  record.kind = number_at(bytes, 12, 1);
  record.index = number_at(bytes, 13, 8);
  record.term = number_at(bytes, 21, 8);
  record.durable_index = number_at(bytes, 37, 8);  // behind the time
  record.previous = number_at(bytes, 45, 8);
  return record;
}

// While a process runs there is no gap before what it wrote; after a crash (`look_on`) there may
// be.
void DurableLog::follow(const std::string& name, std::uint64_t number, bool look_on) {
  if (segments_.find(number) == segments_.end() && !begin(name, number, !look_on)) return;
  Segment& segment = segments_.at(number);
  const std::uint64_t key = checksum_key(segment.incarnation, number);
  const std::uint64_t end = disk_->durable_size(name);
  std::uint64_t at = segment.position;
  while (at + record_head <= end) {
    const auto record = record_at(name, at, key);
    if (!record) {
      if (at % page == 0 && !look_on) break;
      at = (at / page + 1) * page;
      continue;
    }
    const Place place{name, at, record->size};
    at += record->size;
    segment.position = at;
    segment.durable_index = std::max(segment.durable_index, record->durable_index);
    if (record->index != segment.first_index + segment.terms.size() ||
        record->previous != segment.checksum)
      continue;
    segment.terms.push_back(record->term);
    segment.checksums.push_back(record->checksum);
    segment.places.push_back(place);
    segment.checksum = record->checksum;
  }
}

// The newest segment that begins at or before `index` is the one in force there.
const DurableLog::Segment* DurableLog::segment_of(std::uint64_t index) const {
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment)
    if (segment->second.first_index <= index) return &segment->second;
  return nullptr;
}

bool DurableLog::holds(std::uint64_t index, std::uint64_t term, std::uint64_t sum) const {
  // A header may name the entry that a segment still in force had before it.
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    if (segment->second.first_index > index) continue;
    const std::uint64_t at = index - segment->second.first_index;
    return at < segment->second.terms.size() && segment->second.terms[at] == term &&
           segment->second.checksums[at] == sum;
  }
  return false;
}

bool DurableLog::is_entry_durable(Index index, Term term) const {
  return index == Index{0} || term_at(index) == term;
}

std::optional<Term> DurableLog::term_at(Index index) const {
  const Segment* segment = segment_of(raw(index));
  if (segment == nullptr) return std::nullopt;
  const std::uint64_t at = raw(index) - segment->first_index;
  if (at >= segment->terms.size()) return std::nullopt;
  return Term{segment->terms[at]};
}

// The end that the newest of all good records names, where it speaks of the newest segment.
std::uint64_t DurableLog::noted_end() const {
  const Vote* newest = nullptr;
  for (const auto* vote : {&slots_[0], &slots_[1], &notes_[0], &notes_[1]})
    if (*vote && (newest == nullptr || (*vote)->number > newest->number)) newest = &**vote;
  if (newest == nullptr || segments_.empty() ||
      newest->log_end.segment != segments_.rbegin()->first)
    return 0;
  return newest->log_end.index;
}

std::vector<DurableLog::Place> DurableLog::promised_entries() const {
  std::vector<Place> found;
  std::uint64_t limit =
      segments_.empty() ? 0 : std::max(segments_.rbegin()->second.durable_index, noted_end()) + 1;
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    const Segment& l = segment->second;
    for (std::size_t i = 0; i < l.places.size() && l.first_index + i < limit; ++i)
      found.push_back(l.places[i]);
    limit = std::min(limit, l.first_index);  // what is behind is a later segment's
    if (segment == segments_.rbegin()) limit = l.first_index;
  }
  return found;
}

std::vector<DurableLog::Place> DurableLog::promised_headers() const {
  std::vector<Place> found;
  std::uint64_t limit = UINT64_MAX;
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    const Segment& l = segment->second;
    if (l.first_index >= limit) continue;  // dead
    limit = l.first_index;
    // Of the newest, only when its own records say that they count.
    const bool is_newest = segment == segments_.rbegin();
    if (!l.places.empty() &&
        (!is_newest || std::max(l.durable_index, noted_end()) >= l.first_index))
      found.push_back({l.places.front().name, 0, header_bytes});
  }
  return found;
}

std::optional<DurableLog::Place> DurableLog::slot_place(std::size_t i) const {
  if (!slots_[i]) return std::nullopt;
  return Place{"hard_state", i * second_slot, 60};
}

Index DurableLog::last_index() const {
  if (segments_.empty()) return Index{0};
  const Segment& newest = segments_.rbegin()->second;
  return Index{newest.first_index - 1 + newest.terms.size()};
}

Index DurableLog::whole_up_to() const {
  std::vector<const Segment*> in_force;  // the newest first
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment)
    if (in_force.empty() || segment->second.first_index < in_force.back()->first_index)
      in_force.push_back(&segment->second);
  std::uint64_t end = 0;
  const Segment* before = nullptr;
  for (auto segment = in_force.rbegin(); segment != in_force.rend(); before = *segment++) {
    const std::uint64_t first = (*segment)->first_index;
    const bool follows =
        before == nullptr
            ? first == 1
            : first <= end + 1 &&
                  before->checksums[first - 1 - before->first_index] == (*segment)->predecessor;
    if (!follows) break;
    end = first - 1 + (*segment)->terms.size();
  }
  return Index{end};
}

bool DurableLog::is_term_durable(Term term) const {
  return slots_[0] && slots_[1] && slots_[0]->current_term >= term &&
         slots_[1]->current_term >= term;
}

bool DurableLog::is_vote_durable(Term term, const MemberId& voted_for) const {
  const auto says_so = [&](const std::optional<Vote>& vote) {
    return vote && (vote->current_term > term ||
                    (vote->current_term == term && vote->voted_for == voted_for));
  };
  return says_so(slots_[0]) && says_so(slots_[1]);
}

}  // namespace zatt::test
