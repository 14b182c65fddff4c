// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/service.h"

#include <optional>

#include "base/overloaded.h"

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

std::string_view HostService::refusal_of(const codec::Operation& operation) const {
  return is_of_the_dictionary(operation) ? "this cluster replicates a state machine of its own"
                                         : "";
}

}  // namespace zatt::node
