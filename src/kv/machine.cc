// SPDX-License-Identifier: AGPL-3.0-or-later
#include "kv/machine.h"

#include "base/assert.h"
#include "kv/command.h"
#include "kv/dictionary.h"
#include "kv/operations.h"
#include "kv/reply.h"
#include "kv/snapshot.h"

namespace zatt::kv {

struct Machine::Impl {
  explicit Impl(std::uint64_t hash_seed) : dictionary(hash_seed) {}

  void carry_out(const Decision& decision, const Current& current, std::string_view key,
                 std::uint64_t revision);

  Dictionary dictionary;
  std::uint64_t rev = 0;
  std::optional<SnapshotWriter> writer;  // while a snapshot is taken
  std::optional<SnapshotReader> reader;  // while one is restored
};

void Machine::Impl::carry_out(const Decision& decision, const Current& current,
                              std::string_view key, std::uint64_t revision) {
  if (decision.effect == Effect::none) return;
  if (writer && current.exists()) writer->before_change(current.item);
  if (decision.effect == Effect::put)
    dictionary.put(current.ref, key, decision.value, revision);
  else
    dictionary.erase(current.ref);
  rev = revision;
}

Machine::Machine(std::uint64_t hash_seed) : impl_(std::make_unique<Impl>(hash_seed)) {}
Machine::~Machine() = default;

void Machine::apply(Index index, std::uint64_t /*time_us*/, std::string_view command,
                    std::string& reply) {
  ZATT_ASSERT(!impl_->reader);
  ZATT_ASSERT(raw(index) > impl_->rev);
  const std::optional<Command> decoded = decode_command(command);
  if (!decoded) return encode(Reply{.outcome = Outcome::malformed}, reply);
  const Current current = look_up(impl_->dictionary, decoded->key);
  std::string number;
  const Decision decision = decide(*decoded, current, raw(index), number);
  encode(decision.reply, reply);  // a refusal's value is the dictionary's own
  impl_->carry_out(decision, current, decoded->key, raw(index));
}

void Machine::begin_snapshot() {
  ZATT_ASSERT(!impl_->writer && !impl_->reader);
  impl_->writer.emplace(impl_->dictionary, impl_->rev);
}

bool Machine::next_slice(std::size_t max_bytes, std::string& out) {
  ZATT_ASSERT(impl_->writer);
  return impl_->writer->next_slice(max_bytes, out);
}

void Machine::end_snapshot() { impl_->writer.reset(); }

void Machine::begin_restore() {
  end_snapshot();
  impl_->dictionary.clear();
  impl_->rev = 0;
  impl_->reader.emplace();
}

Status Machine::restore_slice(std::string_view slice) {
  ZATT_ASSERT(impl_->reader);
  return impl_->reader->take(slice, impl_->dictionary);
}

Status Machine::end_restore() {
  ZATT_ASSERT(impl_->reader);
  const Result<std::uint64_t> rev = impl_->reader->finish();
  if (!rev) return rev.error();
  impl_->rev = *rev;
  impl_->reader.reset();
  return ok;
}

std::optional<Item> Machine::get(std::string_view key) const {
  const Ref ref = impl_->dictionary.find(key);
  if (ref == no_ref) return std::nullopt;
  return impl_->dictionary.item(ref);
}

Machine::Cursor Machine::scan(std::string_view prefix,
                              std::optional<std::string_view> after) const {
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

bool Machine::Cursor::at_end() const {
  return leaf_ == nullptr || !item().key.starts_with(prefix_);
}

Item Machine::Cursor::item() const {
  return store_->impl_->dictionary.item(OrderIndex::Position{leaf_, at_});
}

void Machine::Cursor::advance() {
  ZATT_ASSERT(leaf_ != nullptr);
  const OrderIndex::Position next = OrderIndex::next({leaf_, at_});
  leaf_ = next.leaf;
  at_ = next.at;
}

std::uint64_t Machine::count(std::string_view prefix) const {
  if (prefix.empty()) return size();
  return impl_->dictionary.order().count(prefix);
}

std::uint64_t Machine::size() const { return impl_->dictionary.size(); }
std::uint64_t Machine::rev() const { return impl_->rev; }
std::uint64_t Machine::state_hash() const { return impl_->dictionary.hash(); }
std::uint64_t Machine::search_length(std::string_view key) const {
  return impl_->dictionary.hash_index().chain_length(key);
}
std::size_t Machine::memory_bytes() const {
  return heap_cost(sizeof(Impl)) + impl_->dictionary.memory_bytes() +
         (impl_->writer ? impl_->writer->memory_bytes() : 0);
}

}  // namespace zatt::kv
