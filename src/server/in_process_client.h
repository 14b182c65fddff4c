// SPDX-License-Identifier: AGPL-3.0-or-later
// Clients inside this process: no socket, and else like all the others.
//
// What a socket holds back when the node wants no more lines, whoever asks here holds back
// himself: he looks at wants_more(), and is told when he may go on.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "node/env.h"

namespace zatt::server {

// Who asks. Told from the loop's turn, once for each request, in the order asked; must not call
// the Server from on_line and on_answer.
class InProcessClient {
 public:
  InProcessClient() = default;
  InProcessClient(const InProcessClient&) = delete;
  InProcessClient& operator=(const InProcessClient&) = delete;
  virtual ~InProcessClient() = default;

  // A line's reply, without its newline and with codec::line_slack readable bytes behind it.
  virtual void on_line(std::string_view line) = 0;
  virtual void on_answer(const node::Answer& answer) = 0;  // a proposal's or a barrier's
  virtual void on_room() = 0;                              // more is wanted again
};

class InProcessClients {
 public:
  void open(node::ClientId id, InProcessClient& client);
  void close(node::ClientId id) { clients_.erase(id); }
  bool holds(node::ClientId id) const { return clients_.contains(id); }
  bool wants_more(node::ClientId id) const;

  // As node::Env says.
  void reply(node::ClientId id, std::string_view lines);
  void answer(node::ClientId id, const node::Answer& answer);
  void want_lines(node::ClientId id, bool wanted);

  void process_ready();  // tells those who may go on
  bool has_work() const { return !ready_.empty(); }

 private:
  struct Entry {
    InProcessClient* client = nullptr;
    bool wanted = true;
  };
  Entry* find(node::ClientId id);

  std::unordered_map<node::ClientId, Entry> clients_;
  std::vector<node::ClientId> ready_;
  std::string padded_;  // empty between calls
};

}  // namespace zatt::server
