// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/store.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "kv/command.h"
#include "kv/dictionary.h"
#include "kv/reply.h"
#include "kv/snapshot.h"

namespace zatt::kv {

namespace {

// What a key holds now; rev 0 where it is absent.
struct State {
  Ref ref = no_ref;
  Item item{};
  bool found() const { return ref != no_ref; }
};

bool holds(const Condition& condition, const State& state) {
  switch (condition.kind) {
    case Condition::Kind::none:
      return true;
    case Condition::Kind::exists:
      return condition.exists == state.found();
    case Condition::Kind::rev:
      return condition.rev == state.item.rev;
    case Condition::Kind::value:
      return state.found() && condition.value == state.item.value;
  }
  ZATT_ASSERT(false);
}

Reply refusal(Outcome outcome, const State& state) {
  return {
      .outcome = outcome, .found = state.found(), .rev = state.item.rev, .value = state.item.value};
}

// JSON's integers: an optional minus, then 0 or digits without a leading 0. So -0 is one, of value
// 0, and 1.0 and 1e3 are none.
bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

struct Store::Impl {
  explicit Impl(std::uint64_t hash_seed) : dictionary(hash_seed) {}

  Reply apply(std::uint64_t index, const Command& command, std::string& number);
  Reply set(std::uint64_t index, std::string_view key, const State& state, std::string_view value);
  Reply erase(std::uint64_t index, const State& state);
  Reply increment(std::uint64_t index, const Command& command, const State& state,
                  std::string& number);
  void before_change(const State& state) {
    if (writer && state.found()) writer->before_change(state.item);
  }

  Dictionary dictionary;
  std::uint64_t rev = 0;
  std::optional<SnapshotWriter> writer;  // while a snapshot is taken
  std::optional<SnapshotReader> reader;  // while one is restored
};

// `number` keeps the text of the reply's value.
Reply Store::Impl::apply(std::uint64_t index, const Command& command, std::string& number) {
  State state{.ref = dictionary.find(command.key)};
  if (state.found()) state.item = dictionary.item(state.ref);
  if (!holds(command.condition, state)) return refusal(Outcome::condition_failed, state);
  switch (command.op) {
    case Op::set:
      return set(index, command.key, state, command.value);
    case Op::del:
      return erase(index, state);
    case Op::incr:
      return increment(index, command, state, number);
  }
  ZATT_ASSERT(false);
}

Reply Store::Impl::set(std::uint64_t index, std::string_view key, const State& state,
                       std::string_view value) {
  before_change(state);
  dictionary.put(state.ref, key, value, index);
  rev = index;
  return {.rev = index};
}

Reply Store::Impl::erase(std::uint64_t index, const State& state) {
  if (!state.found()) return {};
  before_change(state);
  dictionary.erase(state.ref);
  rev = index;
  return {.found = true, .rev = index};
}

Reply Store::Impl::increment(std::uint64_t index, const Command& command, const State& state,
                             std::string& number) {
  const std::string_view old = state.found() ? state.item.value : "0";
  if (!is_integer(old)) return refusal(Outcome::not_an_integer, state);
  const std::optional<std::int64_t> from = to_number<std::int64_t>(old);
  std::int64_t sum = 0;
  if (!from || __builtin_add_overflow(*from, command.by, &sum))
    return refusal(Outcome::out_of_range, state);
  number = std::to_string(sum);
  Reply reply = set(index, command.key, state, number);
  reply.value = number;
  return reply;
}

Store::Store(std::uint64_t hash_seed) : impl_(std::make_unique<Impl>(hash_seed)) {}
Store::~Store() = default;

void Store::apply(Index index, std::uint64_t /*time_us*/, std::string_view command,
                  std::string& reply) {
  ZATT_ASSERT(!impl_->reader);
  ZATT_ASSERT(raw(index) > impl_->rev);
  const std::optional<Command> decoded = decode_command(command);
  std::string number;
  encode(
      decoded ? impl_->apply(raw(index), *decoded, number) : Reply{.outcome = Outcome::malformed},
      reply);
}

void Store::begin_snapshot() {
  ZATT_ASSERT(!impl_->writer && !impl_->reader);
  impl_->writer.emplace(impl_->dictionary, impl_->rev);
}

bool Store::next_slice(std::size_t max_bytes, std::string& out) {
  ZATT_ASSERT(impl_->writer);
  return impl_->writer->next_slice(max_bytes, out);
}

void Store::end_snapshot() { impl_->writer.reset(); }

void Store::begin_restore() {
  end_snapshot();
  impl_->dictionary.clear();
  impl_->rev = 0;
  impl_->reader.emplace();
}

Status Store::restore_slice(std::string_view slice) {
  ZATT_ASSERT(impl_->reader);
  return impl_->reader->take(slice, impl_->dictionary);
}

Status Store::end_restore() {
  ZATT_ASSERT(impl_->reader);
  const Result<std::uint64_t> rev = impl_->reader->finish();
  if (!rev) return rev.error();
  impl_->rev = *rev;
  impl_->reader.reset();
  return ok;
}

std::optional<Item> Store::get(std::string_view key) const {
  const Ref ref = impl_->dictionary.find(key);
  if (ref == no_ref) return std::nullopt;
  return impl_->dictionary.item(ref);
}

Store::Cursor Store::scan(std::string_view prefix, std::optional<std::string_view> after) const {
  const OrderIndex& order = impl_->dictionary.order();
  const OrderIndex::Position start =
      after && *after >= prefix ? order.after(*after) : order.at_or_after(prefix);
  Cursor cursor;
  cursor.store_ = this;
  cursor.leaf_ = start.leaf;
  cursor.at_ = start.at;
  cursor.prefix_ = prefix;
  return cursor;
}

bool Store::Cursor::at_end() const { return leaf_ == nullptr || !item().key.starts_with(prefix_); }

Item Store::Cursor::item() const {
  return store_->impl_->dictionary.item(OrderIndex::Position{leaf_, at_});
}

void Store::Cursor::advance() {
  ZATT_ASSERT(leaf_ != nullptr);
  const OrderIndex::Position next = OrderIndex::next({leaf_, at_});
  leaf_ = next.leaf;
  at_ = next.at;
}

std::uint64_t Store::count(std::string_view prefix) const {
  if (prefix.empty()) return size();
  return impl_->dictionary.order().count(prefix);
}

std::uint64_t Store::size() const { return impl_->dictionary.size(); }
std::uint64_t Store::rev() const { return impl_->rev; }
std::uint64_t Store::state_hash() const { return impl_->dictionary.hash(); }
std::uint64_t Store::search_length(std::string_view key) const {
  return impl_->dictionary.hash_index().chain_length(key);
}
std::size_t Store::memory_bytes() const {
  return heap_cost(sizeof(Impl)) + impl_->dictionary.memory_bytes() +
         (impl_->writer ? impl_->writer->memory_bytes() : 0);
}

}  // namespace zatt::kv
