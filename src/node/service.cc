// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/service.h"

#include <optional>

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

struct Answerer {
  const kv::Machine& machine;

  codec::Response operator()(const codec::Get& get) const {
    return codec::Found{machine.get(get.key)};
  }
  codec::Response operator()(const codec::Scan& scan) const {
    std::optional<std::string_view> after;
    if (scan.after) after = *scan.after;
    return codec::Page{machine.scan(scan.prefix, after), machine.rev()};
  }
  codec::Response operator()(const codec::Count& count) const {
    return codec::Counted{machine.count(count.prefix), machine.rev()};
  }
};

}  // namespace

std::string_view DictionaryService::refusal_of(const codec::Operation& operation) const {
  return is_of_a_host(operation)
             ? "this cluster replicates zatt's dictionary, not a state machine of its own"
             : "";
}

codec::Response DictionaryService::answer(const codec::Read& read) const {
  return std::visit(Answerer{machine_}, read.query);
}

std::string_view HostService::refusal_of(const codec::Operation& operation) const {
  return is_of_the_dictionary(operation) ? "this cluster replicates a state machine of its own"
                                         : "";
}

}  // namespace zatt::node
