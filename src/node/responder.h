// SPDX-License-Identifier: AGPL-3.0-or-later
// Responses leave: in the order asked, and those to reads, which can be large, only as fast as a
// client reads them.
#pragma once

#include <deque>

#include "node/client_queues.h"
#include "node/options.h"
#include "node/service.h"

namespace zatt::node {

class Responder {
 public:
  // All are borrowed for its life.
  Responder(const Options& options, Env& env, const Service& service, ClientQueues& clients)
      : options_(options), env_(env), service_(service), clients_(clients) {}

  // Lets leave what may, as much as a turn has time for: something, and the rest stays dirty.
  void flush();

 private:
  // Responds to what the client has asked, up to what cannot be answered yet, or until the turn is
  // over: whether it is.
  bool respond(ClientQueue& client);
  // Whether the client's first request was responded to.
  bool respond_to_first(ClientQueue& client);
  // Whether the answer to this read may be made now. Where others have the room for it, its client
  // waits in line.
  bool has_room(ClientQueue& client, const codec::Read& read);
  // Lets some of those who wait in line try again.
  void retry();
  // A read that is the next to leave, from the state as it is: a later read of its client does not
  // show an earlier one, and no later write has been handed on. False: the client has to read first.
  bool answer(ClientQueue& client, const PendingRequest& pending);

  const Options& options_;
  Env& env_;
  const Service& service_;
  ClientQueues& clients_;
  std::deque<ClientId> waiting_for_room_;
};

}  // namespace zatt::node
