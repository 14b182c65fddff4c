// SPDX-License-Identifier: AGPL-3.0-or-later
// A client inside this process: no socket, and else like all the others.
//
// What a socket holds back when the node wants no more requests, whoever asks here holds back
// itself: it looks at wants_more(), and is told when it may go on.
#pragma once

#include "server/client.h"

namespace zatt::server {

// Who asks. Told from the loop's turn, once for each request, in the order asked; must not call
// the Server from on_response.
class InProcessClient {
 public:
  InProcessClient() = default;
  InProcessClient(const InProcessClient&) = delete;
  InProcessClient& operator=(const InProcessClient&) = delete;
  virtual ~InProcessClient() = default;

  // Both are borrowed for the call.
  virtual void on_response(const codec::Request& request, const codec::Response& response) = 0;
  virtual void on_room() = 0;  // more is wanted again
};

// The node's end of one.
class InProcessEnd final : public Client {
 public:
  // Both are borrowed for its life, `who` until close().
  InProcessEnd(node::ClientId id, ClientOwner& owner, InProcessClient& who)
      : id_(id), owner_(owner), who_(&who) {}

  void respond(const codec::Request& request, const codec::Response& response) override {
    if (who_ != nullptr) who_->on_response(request, response);
  }
  void want_requests(bool wanted) override;
  void close() override;  // `who` hears nothing any more
  std::size_t unread_bytes() const override { return 0; }
  bool wants_requests() const override { return who_ != nullptr && wanted_; }
  bool is_connection() const override { return false; }
  void resume() override;
  void write_out() override {}
  bool is_closed() const override { return who_ == nullptr; }
  void on_removed(LingeringClose&, const LogFunction&) override {}

 private:
  node::ClientId id_;
  ClientOwner& owner_;
  InProcessClient* who_;  // null: it is gone
  bool wanted_ = true;
};

}  // namespace zatt::server
