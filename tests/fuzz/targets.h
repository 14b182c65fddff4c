// SPDX-License-Identifier: AGPL-3.0-or-later
// Every decoder of bytes that somebody else wrote, each behind one function for a fuzzer to call.
//
// A target decodes what it is given and checks what its decoder promises: never more than the bytes
// hold, the same however they are cut, and what decoded encodes to what decodes alike. It aborts
// where a promise is broken. Where a checksum would keep the fuzzer out, the first bytes may ask
// for it to be made right. tests/fuzz/corpus/<name>/ holds what each begins with, and what it once
// found; the unit tests play all of it.
#pragma once

#include <cstddef>
#include <cstdint>

int fuzz_command(const std::uint8_t* data, std::size_t size);
int fuzz_config_file(const std::uint8_t* data, std::size_t size);
int fuzz_configuration(const std::uint8_t* data, std::size_t size);
int fuzz_directory(const std::uint8_t* data, std::size_t size);
int fuzz_frame(const std::uint8_t* data, std::size_t size);
int fuzz_frame_splitter(const std::uint8_t* data, std::size_t size);
int fuzz_hard_state(const std::uint8_t* data, std::size_t size);
int fuzz_json(const std::uint8_t* data, std::size_t size);
int fuzz_lines(const std::uint8_t* data, std::size_t size);
int fuzz_peer_message(const std::uint8_t* data, std::size_t size);
int fuzz_reply(const std::uint8_t* data, std::size_t size);
int fuzz_request(const std::uint8_t* data, std::size_t size);
int fuzz_restore(const std::uint8_t* data, std::size_t size);
int fuzz_segment(const std::uint8_t* data, std::size_t size);

namespace zatt::fuzz {

struct Target {
  const char* name;
  int (*run)(const std::uint8_t* data, std::size_t size);
};

inline constexpr Target targets[] = {
    {"command", fuzz_command},
    {"config_file", fuzz_config_file},
    {"configuration", fuzz_configuration},
    {"directory", fuzz_directory},
    {"frame", fuzz_frame},
    {"frame_splitter", fuzz_frame_splitter},
    {"hard_state", fuzz_hard_state},
    {"json", fuzz_json},
    {"lines", fuzz_lines},
    {"peer_message", fuzz_peer_message},
    {"reply", fuzz_reply},
    {"request", fuzz_request},
    {"restore", fuzz_restore},
    {"segment", fuzz_segment},
};

}  // namespace zatt::fuzz
