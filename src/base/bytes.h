// SPDX-License-Identifier: AGPL-3.0-or-later
// Numbers and byte strings in and out of buffers, little-endian, whatever the machine.
//
// A Reader never reads past its end: it remembers that it was asked to (`ok()` is false from then
// on) and hands out zeros, so that a decoder checks once, at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace zatt {

// Writes n at data[0..sizeof n), which the caller has room for.
template <class T>
void store_le(char* data, T n) {
  for (std::size_t i = 0; i < sizeof n; ++i)
    data[i] = static_cast<char>(static_cast<unsigned char>(n >> (8 * i)));
}

template <class T>
T load_le(const char* data) {
  T n = 0;
  for (std::size_t i = 0; i < sizeof n; ++i)
    n = static_cast<T>(
        n | static_cast<T>(static_cast<T>(static_cast<unsigned char>(data[i])) << (8 * i)));
  return n;
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void u8(std::uint8_t n) { out_.push_back(static_cast<char>(n)); }
  void u16(std::uint16_t n) { put(n); }
  void u32(std::uint32_t n) { put(n); }
  void u64(std::uint64_t n) { put(n); }
  void raw(std::string_view bytes) { out_.append(bytes); }
  // A length (u32), then the bytes.
  void bytes(std::string_view bytes) {
    u32(static_cast<std::uint32_t>(bytes.size()));
    raw(bytes);
  }

 private:
  template <class T>
  void put(T n) {
    char data[sizeof n];
    store_le(data, n);
    out_.append(data, sizeof n);
  }
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  std::uint8_t u8() { return get<std::uint8_t>(); }
  std::uint16_t u16() { return get<std::uint16_t>(); }
  std::uint32_t u32() { return get<std::uint32_t>(); }
  std::uint64_t u64() { return get<std::uint64_t>(); }
  // The next n bytes, borrowed from the input.
  std::string_view raw(std::size_t n) {
    if (!has(n)) return {};
    const std::string_view bytes = in_.substr(0, n);
    in_.remove_prefix(n);
    return bytes;
  }
  std::string_view bytes() { return raw(u32()); }

  std::size_t left() const { return in_.size(); }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && in_.empty(); }  // all was there, and nothing is left over
  void fail() { ok_ = false; }

 private:
  bool has(std::size_t n) {
    if (n > in_.size()) {
      ok_ = false;
      in_ = {};
    }
    return ok_;
  }
  template <class T>
  T get() {
    if (!has(sizeof(T))) return 0;
    const T n = load_le<T>(in_.data());
    in_.remove_prefix(sizeof(T));
    return n;
  }
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace zatt
