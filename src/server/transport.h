// SPDX-License-Identifier: AGPL-3.0-or-later
// A connection's stream, and what may stand between its bytes and plain text: encryption.
//
// Whoever speaks over a Transport knows nothing of the layer: it opens what has arrived, and writes
// plain text. A layer is a function of its inputs, without a socket, and has a folder of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "loop/stream.h"

namespace zatt::server {

class TransportLayer {
 public:
  TransportLayer() = default;
  TransportLayer(const TransportLayer&) = delete;
  TransportLayer& operator=(const TransportLayer&) = delete;
  virtual ~TransportLayer() = default;

  // Appends to `plain` what the bytes say, and to `answer` what the layer itself has to say to the
  // other end at once, as in a handshake. False: the other end broke the layer's rules.
  virtual bool open(std::string_view wire, std::string& plain, std::string& answer) = 0;
  // Appends to `wire` what carries `plain`: nothing yet where a handshake has to come first.
  virtual void seal(std::string_view plain, std::string& wire) = 0;
};

class Transport {
 public:
  explicit Transport(loop::Stream stream, std::unique_ptr<TransportLayer> layer = nullptr)
      : stream_(std::move(stream)), layer_(std::move(layer)) {}

  // The plain text of what has arrived, with loop::Loop::read_slack_bytes after it, as `wire` has.
  // Borrowed until the next call, also while the Transport is moved. Nothing: the other end broke the layer's rules.
  std::optional<std::string_view> open(std::string_view wire);
  void write(std::string&& plain);

  // For all that has nothing to do with what is said.
  loop::Stream& stream() { return stream_; }
  const loop::Stream& stream() const { return stream_; }

 private:
  loop::Stream stream_;
  std::unique_ptr<TransportLayer> layer_;
  std::string plain_;  // of the last open(), where there is a layer
};

}  // namespace zatt::server
