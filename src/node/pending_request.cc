// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/pending_request.h"

namespace zatt::node {

std::string* command_of(codec::Request& request) {
  if (auto* write = std::get_if<codec::Write>(&request.operation)) return &write->command;
  auto* proposal = std::get_if<codec::Proposal>(&request.operation);
  return proposal == nullptr ? nullptr : &proposal->command;
}

bool grows(const PendingRequest& pending) {
  const auto* write = std::get_if<codec::Write>(&pending.request.operation);
  return write == nullptr ? is_write(pending) : write->op != kv::Op::del;
}

bool is_stale_read(const codec::Request& request) {
  const auto* read = std::get_if<codec::Read>(&request.operation);
  return read != nullptr && read->stale;
}

}  // namespace zatt::node
