// SPDX-License-Identifier: AGPL-3.0-or-later
// A client of zatt.h, and ways to wait for it that ^C ends.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/interrupts.h"
#include "zatt/zatt.h"

namespace zatt::cli {

struct Item {
  std::string key;
  std::string value;
  std::uint64_t rev = 0;
};

// A zatt_reply of one's own.
struct Reply {
  int error = ZATT_OK;
  std::string message;
  bool found = false;
  std::optional<std::string> value;
  std::uint64_t rev = 0;
  std::int64_t number = 0;
  std::uint64_t at = 0;
  bool more = false;
  std::vector<Item> items;
  std::string line;  // the server's, or ""
};
Reply copy_of(const zatt_reply& reply);

inline zatt_bytes bytes_of(const std::string& text) { return {text.data(), text.size()}; }

class Session {
 public:
  struct Options {
    std::string servers;
    int timeout_ms;      // of a request that names none
    bool whole_timeout;  // also where no server answers: one may come back
  };
  Session(Options options, Interrupts& interrupts)
      : options_(std::move(options)), interrupts_(interrupts) {}

  // Of the requests that follow.
  void set_timeout(int ms) { options_.timeout_ms = ms; }

  // Looks up the servers' names; whoever does not call it has it done by the first request.
  // Nothing, or a reply that says why not.
  std::optional<Reply> open();

  // Waits for the answer. After ^C it is ZATT_ECANCELED, or ZATT_EUNKNOWN where a write was sent.
  Reply ask(const zatt_request& request);

  // Does not wait. `done` is called from a later turn(), or never where this is not ZATT_OK.
  using Done = std::function<void(const zatt_reply&)>;
  int send(const zatt_request& request, Done done);
  // The last reason why send() did not.
  const Reply& why_not_sent() const { return refusal_; }

  // Waits until something happens: here, or to one of `others`, whose revents are filled in. False
  // after ^C: then all that was under way has been answered, and nothing more can be asked before
  // start_anew().
  bool turn(std::span<pollfd> others);

  std::size_t pending() const;
  bool was_interrupted() const { return interrupted_; }
  // ^C ended what was under way, and no more than that.
  void start_anew();

 private:
  struct Waiter {
    Done done;
    std::uint64_t& answers;
  };
  // Lets the client work, and counts what was answered. Any Done may be called.
  void dispatch();

  struct Closer {
    void operator()(zatt_client* client) const { zatt_client_close(client); }
  };

  Options options_;
  Interrupts& interrupts_;
  bool interrupted_ = false;
  Reply refusal_;
  std::uint64_t answers_ = 0;
  std::unique_ptr<zatt_client, Closer> client_;
  std::vector<pollfd> polled_;
};

}  // namespace zatt::cli
