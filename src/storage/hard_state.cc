// SPDX-License-Identifier: AGPL-3.0-or-later
// The bytes of a hard state: what one slot of the file `hard_state` (slots.h) holds.
//
//   self: bytes id, u64 incarnation; u64 cluster; u64 current_term;
//   u8 voted (0, 1), where 1: bytes id, u64 incarnation;
//   u64 floor_term, u64 floor_index; u8 open (0, 1), where 1: u64 floor_open_term;
//   u32 number of offers, each: u64 number, u64 cluster, bytes configuration
//
// Little-endian; bytes: u32 length, then that many bytes.
#include "storage/hard_state.h"

#include "base/bytes.h"

namespace zatt::storage {
namespace {

void put_server(Writer& out, const MemberId& server) {
  out.bytes(server.id);
  out.u64(server.incarnation);
}

MemberId take_server(Reader& in) {
  MemberId server;
  server.id = in.bytes();
  server.incarnation = in.u64();
  return server;
}

bool take_offer(Reader& in, std::vector<Offer>& offers) {
  Offer offer;
  offer.number = in.u64();
  offer.cluster = ClusterId{in.u64()};
  auto configuration = raft::decode_configuration(in.bytes());
  if (!in.ok() || !configuration) return false;
  offer.configuration = std::move(*configuration);
  offers.push_back(std::move(offer));
  return true;
}

}  // namespace

void encode(const HardState& state, std::string& out) {
  Writer writer(out);
  put_server(writer, state.self);
  writer.u64(raw(state.cluster));
  writer.u64(raw(state.raft_state.current_term));
  writer.u8(state.raft_state.voted_for ? 1 : 0);
  if (state.raft_state.voted_for) put_server(writer, *state.raft_state.voted_for);
  writer.u64(raw(state.raft_state.floor.term));
  writer.u64(raw(state.raft_state.floor.index));
  writer.u8(state.raft_state.floor.open_term ? 1 : 0);
  if (state.raft_state.floor.open_term) writer.u64(raw(*state.raft_state.floor.open_term));
  writer.u32(static_cast<std::uint32_t>(state.offers.size()));
  for (const Offer& offer : state.offers) {
    writer.u64(offer.number);
    writer.u64(raw(offer.cluster));
    std::string configuration;
    raft::encode(offer.configuration, configuration);
    writer.bytes(configuration);
  }
}

std::optional<HardState> decode_hard_state(std::string_view bytes) {
  Reader in(bytes);
  HardState state;
  state.self = take_server(in);
  state.cluster = ClusterId{in.u64()};
  state.raft_state.current_term = Term{in.u64()};
  const std::uint8_t voted = in.u8();
  if (voted > 1) return std::nullopt;
  if (voted == 1) state.raft_state.voted_for = take_server(in);
  state.raft_state.floor.term = Term{in.u64()};
  state.raft_state.floor.index = Index{in.u64()};
  const std::uint8_t open = in.u8();
  if (open > 1) return std::nullopt;
  if (open == 1) state.raft_state.floor.open_term = Term{in.u64()};
  for (std::uint32_t left = in.u32(); left > 0; --left)
    if (!take_offer(in, state.offers)) return std::nullopt;
  if (!in.done()) return std::nullopt;
  return state;
}

}  // namespace zatt::storage
