// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/service.h"

#include <optional>

#include "base/overloaded.h"
#include "kv/command.h"
#include "kv/reply.h"

namespace zatt::node {
namespace {

bool is_of_a_host(const codec::Operation& operation) {
  return std::holds_alternative<codec::Proposal>(operation) ||
         std::holds_alternative<codec::Barrier>(operation);
}

bool is_of_the_dictionary(const codec::Operation& operation) {
  return std::holds_alternative<codec::Read>(operation) ||
         std::holds_alternative<codec::Write>(operation);
}

// What stands around the keys and values of an answer.
constexpr std::uint64_t around = 128;

std::uint64_t bytes_of_item(const kv::Item& item) {
  return around + item.key.size() + item.value.size();
}

std::uint64_t bytes_of_key(const kv::Machine& machine, std::string_view key) {
  const auto item = machine.get(key);
  return item ? bytes_of_item(*item) : around;
}

std::uint64_t bytes_of_scan(const kv::Machine& machine, const codec::Scan& scan,
                            std::uint64_t most) {
  const std::optional<std::string_view> after = scan.after;
  std::uint64_t bytes = around;
  std::uint32_t items = 0;
  for (auto cursor = machine.scan(scan.prefix, after);
       !cursor.at_end() && items < scan.limit && bytes <= most; cursor.advance(), ++items)
    bytes += bytes_of_item(cursor.item());
  return bytes;
}

std::uint64_t bytes_of_read(const kv::Machine& machine, const codec::Read& read,
                            std::uint64_t most) {
  return std::visit(
      Overloaded{[&](const codec::Get& get) { return bytes_of_key(machine, get.key); },
                 [&](const codec::Scan& scan) { return bytes_of_scan(machine, scan, most); },
                 [](const codec::Count&) { return around; }},
      read.query);
}

// A refusal tells what is there.
std::uint64_t bytes_of_refusal(const kv::Machine& machine, const codec::Write& write) {
  const auto command = kv::decode_command(write.command);
  if (!command) return 0;
  const bool may_refuse =
      write.op == kv::Op::incr || command->condition.kind != kv::Condition::Kind::none;
  return may_refuse ? bytes_of_key(machine, command->key) : 0;
}

}  // namespace

std::string_view DictionaryService::refusal_of(const codec::Operation& operation) const {
  return is_of_a_host(operation)
             ? "this cluster replicates zatt's dictionary, not a state machine of its own"
             : "";
}

codec::Response DictionaryService::answer(const codec::Read& read) const {
  return std::visit(Overloaded{
                        [&](const codec::Get& get) -> codec::Response {
                          return codec::Found{machine_.get(get.key)};
                        },
                        [&](const codec::Scan& scan) -> codec::Response {
                          const std::optional<std::string_view> after = scan.after;
                          return codec::Page{machine_.scan(scan.prefix, after), machine_.rev()};
                        },
                        [&](const codec::Count& count) -> codec::Response {
                          return codec::Counted{machine_.count(count.prefix), machine_.rev()};
                        },
                    },
                    read.query);
}

std::uint64_t DictionaryService::answer_bytes(const codec::Operation& operation,
                                              std::uint64_t most) const {
  return std::visit(
      Overloaded{[&](const codec::Read& read) { return bytes_of_read(machine_, read, most); },
                 [&](const codec::Write& write) { return bytes_of_refusal(machine_, write); },
                 [](const auto&) { return std::uint64_t{0}; }},
      operation);
}

bool DictionaryService::changed_nothing(std::string_view reply) const {
  const auto decoded = kv::decode_reply(reply);
  return decoded && decoded->outcome != kv::Outcome::done;
}

std::string_view HostService::refusal_of(const codec::Operation& operation) const {
  return is_of_the_dictionary(operation) ? "this cluster replicates a state machine of its own"
                                         : "";
}

}  // namespace zatt::node
