// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/entries.h"

#include <cstring>
#include <limits>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/narrow.h"

namespace zatt::kv {

namespace {

constexpr std::size_t length_at = 4;  // behind `next`
constexpr std::size_t widths_at = 6;
constexpr std::size_t value_size_at = 7;

constexpr unsigned key_size_bits = 13;
constexpr unsigned key_size_mask = (1U << key_size_bits) - 1;
constexpr unsigned big_flag = 1U << key_size_bits;
constexpr unsigned deadline_flag = 2U << key_size_bits;  // none is written yet

std::size_t width_of(std::uint64_t n) {
  std::size_t width = 1;
  while (n >>= 8) ++width;
  return width;
}

void store_wide(char* data, std::uint64_t n, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i)
    data[i] = static_cast<char>(static_cast<unsigned char>(n >> (8 * i)));
}

std::uint64_t load_wide(const char* data, std::size_t width) {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < width; ++i)
    n |= std::uint64_t{static_cast<unsigned char>(data[i])} << (8 * i);
  return n;
}

void copy(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

}  // namespace

// A slot's header, unpacked.
struct Entries::Form {
  std::size_t key_size = 0;
  std::size_t value_size = 0;
  std::uint64_t rev = 0;
  std::size_t value_size_width = 0;
  std::size_t rev_width = 0;
  bool deadline = false;
  bool big = false;

  static Form of(std::size_t key_size, std::size_t value_size, std::uint64_t rev) {
    ZATT_ASSERT(key_size <= key_size_mask);
    ZATT_ASSERT(value_size <= std::numeric_limits<std::uint32_t>::max());
    Form form;
    form.key_size = key_size;
    form.value_size = value_size;
    form.rev = rev;
    form.value_size_width = width_of(value_size);
    form.rev_width = width_of(rev);
    form.big = form.text_at() + key_size + value_size > max_slot_bytes;
    return form;
  }

  static Form read(const char* slot) {
    const unsigned length = load_le<std::uint16_t>(slot + length_at);
    const unsigned widths = load_le<std::uint8_t>(slot + widths_at);
    Form form;
    form.key_size = length & key_size_mask;
    form.deadline = (length & deadline_flag) != 0;
    form.big = (length & big_flag) != 0;
    form.value_size_width = (widths >> 3) + 1;
    form.rev_width = (widths & 7) + 1;
    form.value_size = narrow<std::size_t>(load_wide(slot + value_size_at, form.value_size_width));
    form.rev = load_wide(slot + value_size_at + form.value_size_width, form.rev_width);
    return form;
  }

  std::size_t text_at() const {
    return value_size_at + value_size_width + rev_width + (deadline ? sizeof(std::uint64_t) : 0);
  }
  std::size_t text_size() const { return key_size + value_size; }
  std::size_t size_class() const {
    const std::size_t size = text_at() + (big ? sizeof(char*) : text_size());
    return (size + step - 1) / step;
  }

  void write_header(char* slot) const {
    store_le(slot + length_at, static_cast<std::uint16_t>(key_size | (big ? big_flag : 0)));
    store_le(slot + widths_at,
             static_cast<std::uint8_t>((value_size_width - 1) << 3 | (rev_width - 1)));
    store_wide(slot + value_size_at, value_size, value_size_width);
    store_wide(slot + value_size_at + value_size_width, rev, rev_width);
  }

  // Where key and value stand.
  const char* text(const char* slot) const {
    if (!big) return slot + text_at();
    const char* block = nullptr;
    std::memcpy(&block, slot + text_at(), sizeof block);
    return block;
  }
};

Ref Entries::create(std::string_view key, std::string_view value, std::uint64_t rev) {
  const Form form = Form::of(key.size(), value.size(), rev);
  const Ref ref = take_slot(form.size_class());
  set_next(ref, no_ref);
  write(at(ref), form, key, value);
  return ref;
}

bool Entries::rewrite(Ref ref, std::string_view value, std::uint64_t rev) {
  char* slot = at(ref);
  const Form old = Form::read(slot);
  const Form now = Form::of(old.key_size, value.size(), rev);
  if (now.size_class() != old.size_class()) return false;
  char key_copy[key_size_mask];  // the header's new width may shift the key, or free its block
  copy(key_copy, {old.text(slot), old.key_size});
  if (old.big) free_block(slot);
  write(slot, now, {key_copy, old.key_size}, value);
  return true;
}

void Entries::write(char* slot, const Form& form, std::string_view key, std::string_view value) {
  form.write_header(slot);
  char* text = slot + form.text_at();
  if (form.big) {
    char* block = new char[form.text_size()];  // freed by free_block
    block_bytes_ += heap_cost(form.text_size());
    std::memcpy(text, &block, sizeof block);
    text = block;
  }
  copy(text, key);
  copy(text + key.size(), value);
}

void Entries::free_block(const char* slot) {
  const Form form = Form::read(slot);
  ZATT_ASSERT(form.big);
  block_bytes_ -= heap_cost(form.text_size());
  delete[] form.text(slot);
}

std::size_t Entries::class_of(Ref ref) const { return Form::read(at(ref)).size_class(); }

Ref Entries::last_of(Ref ref) const {
  const std::size_t size_class = class_of(ref);
  const Class& c = classes_[size_class];
  return static_cast<Ref>(c.pages.back() << place_bits | (c.used - 1) * size_class);
}

void Entries::destroy(Ref ref) {
  if (Form::read(at(ref)).big) free_block(at(ref));
  const std::size_t size_class = class_of(ref);
  const Ref last = last_of(ref);
  if (last != ref) std::memcpy(at(ref), at(last), size_class * step);
  give_slot(size_class);
}

Ref Entries::take_slot(std::size_t size_class) {
  Class& c = classes_[size_class];
  if (c.pages.empty() || c.used == page_bytes / (size_class * step)) {
    c.pages.push_back(take_page());
    c.used = 0;
  }
  return static_cast<Ref>(c.pages.back() << place_bits | c.used++ * size_class);
}

void Entries::give_slot(std::size_t size_class) {
  Class& c = classes_[size_class];
  if (--c.used > 0) return;
  pages_[c.pages.back()].reset();
  free_numbers_.push_back(c.pages.back());
  c.pages.pop_back();
  c.used = static_cast<std::uint32_t>(page_bytes / (size_class * step));
}

std::uint32_t Entries::take_page() {
  if (pages_.empty()) pages_.emplace_back();
  if (free_numbers_.empty()) {
    ZATT_ASSERT(pages_.size() < max_pages);  // 32 GiB of slots: the references end here
    free_numbers_.push_back(static_cast<std::uint32_t>(pages_.size()));
    pages_.emplace_back();
  }
  const std::uint32_t number = free_numbers_.back();
  free_numbers_.pop_back();
  pages_[number] = std::make_unique_for_overwrite<char[]>(page_bytes);
  return number;
}

void Entries::clear() {
  for (std::size_t size_class = 1; size_class < classes_.size(); ++size_class) {
    Class& c = classes_[size_class];
    for (; !c.pages.empty(); give_slot(size_class)) {
      const char* slot =
          at(static_cast<Ref>(c.pages.back() << place_bits | (c.used - 1) * size_class));
      if (Form::read(slot).big) free_block(slot);
    }
  }
  classes_ = std::vector<Class>(classes_.size());
  pages_.clear();
  pages_.shrink_to_fit();
  free_numbers_.clear();
  free_numbers_.shrink_to_fit();
  ZATT_ASSERT(block_bytes_ == 0);
}

std::string_view Entries::key(Ref ref) const {
  const char* slot = at(ref);
  const Form form = Form::read(slot);
  return {form.text(slot), form.key_size};
}

Item Entries::item(Ref ref) const {
  const char* slot = at(ref);
  const Form form = Form::read(slot);
  const char* text = form.text(slot);
  return {.key = {text, form.key_size},
          .value = {text + form.key_size, form.value_size},
          .rev = form.rev};
}

Ref Entries::next(Ref ref) const { return load_le<Ref>(at(ref)); }
void Entries::set_next(Ref ref, Ref next) { store_le(at(ref), next); }

std::size_t Entries::memory_bytes() const {
  std::size_t bytes = heap_cost(classes_.capacity() * sizeof(Class)) + block_bytes_;
  std::size_t pages = 0;
  for (const Class& c : classes_) {
    pages += c.pages.size();
    if (c.pages.capacity() > 0) bytes += heap_cost(c.pages.capacity() * sizeof(std::uint32_t));
  }
  bytes += pages * heap_cost(page_bytes);
  bytes += heap_cost(pages_.capacity() * sizeof(pages_[0]));
  return bytes + heap_cost(free_numbers_.capacity() * sizeof(std::uint32_t));
}

}  // namespace zatt::kv
