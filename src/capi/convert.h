// SPDX-License-Identifier: AGPL-3.0-or-later
// zatt.h's structs to our values and back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "client/reply.h"
#include "client/request.h"
#include "zatt/zatt.h"

namespace zatt::capi {

// A caller's struct as this library knows it: fields that an older header did not have are zero.
// False where a newer one sets what is not known here, or where it is no struct at all.
template <class T>
bool widen(const T* given, T& out) {
  std::memset(&out, 0, sizeof out);
  if (given == nullptr || given->size < sizeof given->size) return false;
  const std::size_t size = given->size;
  std::memcpy(&out, given, std::min(size, sizeof out));
  out.size = sizeof out;
  const char* const bytes = reinterpret_cast<const char*>(given);
  return size <= sizeof out ||
         std::all_of(bytes + sizeof out, bytes + size, [](char c) { return c == 0; });
}

inline std::string_view view(zatt_bytes bytes) {
  return bytes.data == nullptr ? std::string_view() : std::string_view(bytes.data, bytes.size);
}

inline zatt_bytes bytes_of(std::string_view text) { return {text.data(), text.size()}; }

// The time a request may take, in ms: its own, or else the handle's, or else zatt.h's 5 s. 0: it is
// not from 1 to 600000, which is wrong_timeout.
inline constexpr int default_timeout_ms = 5'000;
inline constexpr const char* wrong_timeout = "timeout_ms is from 1 to 600000";
int timeout_of(int own_ms, int default_ms = default_timeout_ms);

// One of the protocol's operations. ZATT_EINVAL, with `why` set, where a field breaks a rule.
int to_request(const zatt_request& given, client::Request& out, const char*& why);

int to_error(client::Outcome outcome);

// A sentence into a caller's buffer, cut where it must be.
void tell(char* buffer, std::size_t size, std::string_view sentence);

// A reply in both forms.
class ReplyBox {
 public:
  explicit ReplyBox(client::Reply reply);
  // A reply that is no line: what a machine of the host's answered.
  ReplyBox(int error, std::string_view message);
  ReplyBox(const ReplyBox&) = delete;
  ReplyBox& operator=(const ReplyBox&) = delete;

  const zatt_reply* get() const { return &c_; }
  // For what no line can say; `value` is copied.
  void set_result(std::string_view value, std::uint64_t rev);

 private:
  void fill();

  client::Reply reply_;
  std::vector<zatt_item> items_;
  zatt_reply c_{};
};

}  // namespace zatt::capi
