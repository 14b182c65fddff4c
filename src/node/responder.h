// SPDX-License-Identifier: AGPL-3.0-or-later
// Answers to reads from this node's own state: in the order asked, and only as fast as a client
// reads them.
#pragma once

#include <cstdint>

#include "kv/machine.h"
#include "node/client_queues.h"
#include "node/options.h"

namespace zatt::node {

class Responder {
 public:
  // All are borrowed for its life. `store`: null where the cluster replicates a state machine of
  // its host's, which answers no reads.
  Responder(const Options& options, const kv::Machine* store, ClientQueues& clients)
      : options_(options), store_(store), clients_(clients) {}

  bool has_store() const { return store_ != nullptr; }
  std::uint64_t keys() const { return store_ == nullptr ? 0 : store_->size(); }

  // Answers from the state as it is. `stale`: nobody has confirmed that it is the newest.
  void answer(PendingRequest& pending, bool stale);
  // Answers the reads that may be answered. Whether there are new answers to send.
  bool answer_readable();

 private:
  // In the order sent: a later read must not show an earlier state. Answers after one that is not
  // there yet take room, and would never leave were that one to wait for room: up to it only what
  // is ahead of it counts.
  bool answer_readable(ClientQueue& client);

  const Options& options_;
  const kv::Machine* store_;
  ClientQueues& clients_;
};

}  // namespace zatt::node
