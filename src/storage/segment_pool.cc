// SPDX-License-Identifier: AGPL-3.0-or-later
#include "storage/segment_pool.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "storage/steps.h"

namespace zatt::storage {
namespace {

constexpr std::size_t most_spare_files = 2;
constexpr std::uint64_t first_retry_us = 5'000'000;  // doubles: a full disk is not to be worn out
constexpr std::uint64_t last_retry_us = 60'000'000;

void fill(const std::string& name, std::uint64_t from, std::uint64_t to, std::vector<Step>& steps) {
  const std::uint64_t begin = from;
  while (from < to) {
    if (from > begin && (from - begin) % sync_every_bytes == 0) steps.push_back(sync_step(name));
    const std::uint64_t bytes = std::min(max_fill_bytes, to - from);
    steps.push_back(fill_step(name, from, bytes));
    from += bytes;
  }
}

}  // namespace

SegmentPool::SegmentPool(std::uint64_t segment_bytes, std::vector<FileSize> ready,
                         std::optional<std::uint64_t> unfinished, std::uint64_t next_number)
    : segment_bytes_(segment_bytes),
      ready_(std::move(ready)),
      next_number_(next_number),
      retry_after_us_(first_retry_us) {
  for (FileSize& file : ready_) file.size = file.size / unit * unit;  // what is used of it
  if (unfinished) making_ = Making{*unfinished, segment_bytes_, 0, 0};
}

std::uint64_t SegmentPool::file_bytes(std::uint64_t bytes) const {
  return std::max(segment_bytes_, round_up(bytes));
}

// The smallest that is large enough.
std::optional<std::size_t> SegmentPool::best_ready(std::uint64_t bytes) const {
  const std::uint64_t size = file_bytes(bytes);
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < ready_.size(); ++i)
    if (ready_[i].size >= size && (!best || ready_[i].size < ready_[*best].size)) best = i;
  return best;
}

std::uint64_t SegmentPool::provide(const std::string& name, std::uint64_t bytes,
                                   std::vector<Step>& steps) {
  std::uint64_t size = file_bytes(bytes);
  if (const auto best = best_ready(bytes)) {
    size = ready_[*best].size;
    steps.push_back(rename_step(ready_[*best].name, name));
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(*best));
  } else if (making_) {
    const std::string unfinished = file_name(FileKind::unfinished, making_->number);
    size = std::max(size, making_->size);
    fill(unfinished, making_->filled, size, steps);
    steps.push_back(sync_step(unfinished));
    steps.push_back(rename_step(unfinished, name));
    making_.reset();
  } else {
    fill(name, 0, size, steps);
    steps.push_back(sync_step(name));
  }
  steps.push_back(sync_directory_step());
  return size;
}

void SegmentPool::retire(const std::string& name, std::uint64_t size, std::vector<Step>& steps) {
  const auto parsed = parse_file_name(name);
  ZATT_ASSERT(parsed.has_value());
  if (is_held({name, size})) {
    retiring_.push_back({name, size});
    return;
  }
  if (size != segment_bytes_ || ready_.size() >= most_spare_files) {
    steps.push_back(remove_step(name));
    return;
  }
  std::string spare = file_name(FileKind::spare, parsed->number);
  steps.push_back(rename_step(name, spare));
  ready_.push_back({std::move(spare), size});
}

void SegmentPool::hold(std::uint64_t number) {
  held_.push_back(file_name(FileKind::segment, number));
}

void SegmentPool::release(std::uint64_t number) {
  const auto held = std::find(held_.begin(), held_.end(), file_name(FileKind::segment, number));
  ZATT_ASSERT(held != held_.end());
  held_.erase(held);
}

bool SegmentPool::is_held(const FileSize& file) const {
  return std::find(held_.begin(), held_.end(), file.name) != held_.end();
}

bool SegmentPool::has_released() const {
  return std::any_of(retiring_.begin(), retiring_.end(),
                     [this](const FileSize& file) { return !is_held(file); });
}

void SegmentPool::retire_released(std::vector<Step>& steps) {
  for (const FileSize& file : std::exchange(retiring_, {})) retire(file.name, file.size, steps);
}

void SegmentPool::trim(std::vector<Step>& steps) {
  std::vector<FileSize> kept;
  for (FileSize& file : ready_) {
    if (file.size == segment_bytes_ && kept.size() < most_spare_files)
      kept.push_back(std::move(file));
    else
      steps.push_back(remove_step(file.name));
  }
  ready_ = std::move(kept);
}

void SegmentPool::make_slice(std::vector<Step>& steps) {
  make(segment_bytes_, max_fill_bytes, steps);
}

void SegmentPool::make_whole(std::uint64_t bytes, std::vector<Step>& steps) {
  make(file_bytes(bytes), UINT64_MAX, steps);
}

void SegmentPool::make(std::uint64_t bytes, std::uint64_t slice, std::vector<Step>& steps) {
  if (!making_) making_ = Making{take_number(), bytes, 0, 0};
  making_->size = std::max(making_->size, bytes);
  const std::string unfinished = file_name(FileKind::unfinished, making_->number);
  making_->slice = std::min(slice, making_->size - making_->filled);
  fill(unfinished, making_->filled, making_->filled + making_->slice, steps);
  steps.push_back(sync_step(unfinished));
  if (making_->filled + making_->slice < making_->size) return;
  steps.push_back(rename_step(unfinished, file_name(FileKind::spare, making_->number)));
  steps.push_back(sync_directory_step());
}

void SegmentPool::on_made_slice() {
  ZATT_ASSERT(making_.has_value());
  making_->filled += making_->slice;
  retry_at_us_ = 0;
  if (making_->filled < making_->size) return;
  is_stuck_ = false;
  retry_after_us_ = first_retry_us;
  ready_.push_back({file_name(FileKind::spare, making_->number), making_->size});
  making_.reset();
}

void SegmentPool::on_disk_full(std::uint64_t now_us) {
  ZATT_ASSERT(making_.has_value());
  making_->filled =
      0;  // what was written may be lost with the failure: the next try writes it anew
  is_stuck_ = true;
  retry_at_us_ = now_us + retry_after_us_;
  retry_after_us_ = std::min(2 * retry_after_us_, last_retry_us);
}

}  // namespace zatt::storage
