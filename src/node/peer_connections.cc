// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/peer_connections.h"

#include <algorithm>
#include <utility>

#include "node/health.h"

namespace zatt::node {
namespace {

constexpr std::uint64_t live_us = 500'000;     // whoever spoke this lately is running
constexpr std::uint32_t max_hello_pieces = 8;  // of a message, before there was a Hello

}  // namespace

bool Said::is_news(const std::string& text, std::uint64_t now_us) {
  std::erase_if(at_us_,
                [&](const auto& said) { return now_us - said.second >= Health::repeat_us; });
  return at_us_.size() < most_ && at_us_.try_emplace(text, now_us).second;
}

void PeerConnections::on_link_up(LinkId id, std::optional<std::string> dialed) {
  auto link = std::make_unique<PeerConnection>();
  link->id = id;
  link->dialed = std::move(dialed);
  link->up_us = env_.now_us();
  PeerConnection& added = *link;
  links_[id] = std::move(link);
  codec::Hello hello = owner_.own_hello();
  if (added.dialed) hello.to = *added.dialed;
  send(added, Priority::control, hello);
}

void PeerConnections::on_frame(LinkId id, std::string_view bytes) {
  const auto it = links_.find(id);
  if (it == links_.end() || it->second->over) return;
  PeerConnection& link = *it->second;
  const auto frame = codec::decode_frame(bytes);
  if (!frame) return close_for(link, "a corrupt frame came in");
  if (is_of_another_start(link, *frame)) return;
  link.last_contact_us = env_.now_us();
  if (!link.greeted && frame->piece >= max_hello_pieces) return close(link);
  const auto whole = link.assembler.add(*frame);
  if (!whole) return;
  const auto message = codec::decode_peer_message(*whole);
  if (!message) return close_for(link, "a message came in that this version does not know");
  if (const auto* refused = std::get_if<codec::Refused>(&*message)) {
    const std::string about = link.greeted ? link.server.id : link.dialed.value_or("?");
    if (!owner_.says_refusals_of(about))
      log_once("node " + about + " refuses this node: " + refused->text);
    owner_.on_refused(about, *refused);
    close(link);
  } else if (const auto* hello = std::get_if<codec::Hello>(&*message)) {
    if (!link.greeted) on_hello(link, *hello, frame->from_boot_id);
  } else if (link.greeted) {
    if (std::holds_alternative<codec::BootstrapState>(*message)) {
      if (frame->message <= link.last_bootstrap_state) return;  // overtaken: it speaks of the past
      link.last_bootstrap_state = frame->message;
    }
    owner_.on_peer_message(link, *message);
  }
}

// Said by, or to, another start of one of the two processes.
bool PeerConnections::is_of_another_start(const PeerConnection& link,
                                          const codec::Frame& frame) const {
  const bool to_us =
      frame.to_boot_id == boot_id_ || (frame.to_boot_id == BootId{} && !link.greeted);
  const bool from_them = !link.greeted || frame.from_boot_id == link.boot_id;
  if (!to_us) hit(instrumentation_, CoveragePoint::frame_to_another_boot);
  if (!from_them) hit(instrumentation_, CoveragePoint::frame_from_another_boot);
  return !to_us || !from_them;
}

std::optional<codec::Refused> PeerConnections::check(const PeerConnection& link,
                                                     const codec::Hello& hello,
                                                     BootId from_boot_id) {
  using Why = codec::Refused::Why;
  const codec::Hello own = owner_.own_hello();
  if (hello.lowest_version > codec::highest_version ||
      hello.highest_version < codec::lowest_version)
    return codec::Refused{Why::version, "node " + hello.server.id + " speaks versions " +
                                            std::to_string(hello.lowest_version) + " to " +
                                            std::to_string(hello.highest_version) +
                                            " of the peer protocol, node " + own.server.id + " " +
                                            std::to_string(codec::lowest_version) + " to " +
                                            std::to_string(codec::highest_version)};
  if (!hello.to.empty() && hello.to != own.server.id)
    return codec::Refused{Why::identity, "this is node " + own.server.id + ", not node " +
                                             hello.to +
                                             ": look at the addresses in the configuration"};
  if (link.dialed && hello.server.id != *link.dialed)
    return codec::Refused{Why::identity,
                          "node " + *link.dialed + " was called and node " + hello.server.id +
                              " answers: look at the addresses in the configuration"};
  if (hello.server.id == own.server.id || from_boot_id == boot_id_ || from_boot_id == BootId{})
    return codec::Refused{Why::identity,
                          "node " + own.server.id +
                              " is running here already: two nodes were started with the id " +
                              own.server.id + ", or a node has called itself"};
  const PeerConnection* older = find_id(hello.server.id);
  if (older != nullptr && older->server == hello.server && older->boot_id != from_boot_id &&
      env_.now_us() - older->last_contact_us < live_us)
    return codec::Refused{Why::twice,
                          "node " + hello.server.id +
                              " is running already, as another process: was its storage directory "
                              "copied?"};
  return owner_.validate(hello, link.dialed.has_value());
}

void PeerConnections::on_hello(PeerConnection& link, const codec::Hello& hello,
                               BootId from_boot_id) {
  link.boot_id = from_boot_id;
  if (is_overtaken(link, hello.server, from_boot_id)) {
    hit(instrumentation_, CoveragePoint::late_hello_refused);
    return close(link);
  }
  if (const auto refused = check(link, hello, from_boot_id)) {
    refuse(link, hello.server.id, *refused);
    return;
  }
  if (const auto older = by_id_.find(hello.server.id); older != by_id_.end())
    close(*links_.at(older->second));
  link.greeted = true;
  link.server = hello.server;
  link.address = hello.address;
  link.bootstrap_state = hello.bootstrap_state;
  by_id_[hello.server.id] = link.id;
  newest_[hello.server.id] = {hello.server, from_boot_id, link.id};
  owner_.on_peer_up(link);
}

// Connections are numbered as they are made. What that process sent over an earlier one it sent
// before what came over the newer one, whose requests may be answered already.
bool PeerConnections::is_overtaken(const PeerConnection& link, const MemberId& server,
                                   BootId boot_id) const {
  const auto newest = newest_.find(server.id);
  return newest != newest_.end() && newest->second.server == server &&
         newest->second.boot_id == boot_id && link.id < newest->second.link;
}

void PeerConnections::refuse(PeerConnection& link, const std::string& id,
                             const codec::Refused& refused) {
  const std::string text = "node " + id + " is refused: " + refused.text;
  if (!owner_.is_known_id(id)) {
    if (of_strangers_.is_news(text, env_.now_us())) env_.log(LogLevel::warning, text);
  } else if (!owner_.says_refusals_of(id)) {
    log_once(text);
  }
  send(link, Priority::control, refused);
  close(link);
}

void PeerConnections::close(PeerConnection& link) {
  if (link.over) return;
  link.over = true;
  env_.close_link(link.id);
  if (!link.greeted) return;
  if (const auto it = by_id_.find(link.server.id); it != by_id_.end() && it->second == link.id)
    by_id_.erase(it);
  owner_.on_peer_down(link);
}

bool PeerConnections::close_silent(std::uint64_t patience_us) {
  bool waiting = false;
  for (const auto& [id, link] : links_) {
    if (link->greeted || link->over) continue;
    if (env_.now_us() - link->up_us >= patience_us)
      close(*link);
    else
      waiting = true;
  }
  return waiting;
}

void PeerConnections::on_link_down(LinkId id, std::string_view why) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  const std::unique_ptr<PeerConnection> link = std::move(it->second);
  links_.erase(it);
  if (link->over || !link->greeted) return;
  link->over = true;
  link->why = std::string(why);
  if (const auto by = by_id_.find(link->server.id); by != by_id_.end() && by->second == id)
    by_id_.erase(by);
  owner_.on_peer_down(*link);
}

PeerConnection* PeerConnections::find_id(std::string_view id) const {
  const auto it = by_id_.find(std::string(id));
  return it == by_id_.end() ? nullptr : links_.at(it->second).get();
}

PeerConnection* PeerConnections::find(const MemberId& server) const {
  PeerConnection* link = find_id(server.id);
  return link != nullptr && link->server == server ? link : nullptr;
}

PeerConnection* PeerConnections::find_link(LinkId id) const {
  const auto it = links_.find(id);
  return it == links_.end() || it->second->over || !it->second->greeted ? nullptr
                                                                        : it->second.get();
}

void PeerConnections::send_bytes(PeerConnection& link, Priority priority,
                                 std::string_view message) {
  if (link.over) return;
  codec::cut_into_frames(
      boot_id_, link.boot_id, ++link.messages_sent, message,
      [&](std::string frame) { env_.send(link.id, priority, std::move(frame)); });
}

// Whoever never said who it is may be a probe or a scanner.
void PeerConnections::close_for(PeerConnection& link, const std::string& what) {
  const std::string text = what + "; the connection is closed";
  if (link.greeted)
    log_once("node " + link.server.id + ": " + text);
  else
    env_.log(LogLevel::debug, text);
  close(link);
}

void PeerConnections::log_once(const std::string& text) {
  if (of_members_.is_news(text, env_.now_us())) env_.log(LogLevel::warning, text);
}

}  // namespace zatt::node
