// SPDX-License-Identifier: AGPL-3.0-or-later
#include "server/peer_links.h"

#include <algorithm>
#include <set>
#include <utility>

namespace zatt::server {

using node::LinkId;
using node::LogLevel;

PeerLinks::PeerLinks(loop::Loop& loop, LingeringClose& lingering_close, std::uint64_t seed,
                     PeerSink& sink, LogFunction log, const LinkLimits& limits)
    : loop_(loop),
      lingering_close_(lingering_close),
      prng_(seed),
      sink_(sink),
      log_(std::move(log)),
      limits_(limits) {}

void PeerLinks::add(Transport transport, std::string_view first) {
  begin(std::move(transport), Link::Side::answerer, std::nullopt, first);
}

void PeerLinks::begin(Transport transport, Link::Side side, std::optional<std::string> dialed,
                      std::string_view first) {
  const LinkId id = ++last_id_;
  Entry& entry = links_[id];
  entry.dialed = dialed;
  entry.link = std::make_unique<Link>(loop_, id, limits_, std::move(transport), side, sink_,
                                      [this, id] { over_.push_back(id); });
  sink_.on_link_up(id, std::move(dialed));
  entry.link->begin(first);
}

void PeerLinks::send(LinkId id, node::Priority priority, std::string frame) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Entry& entry = found->second;
  entry.link->send(priority, std::move(frame));
  if (!entry.dirty) dirty_.push_back(id);
  entry.dirty = true;
}

std::size_t PeerLinks::unsent_bytes(LinkId id) const {
  const auto found = links_.find(id);
  return found == links_.end() ? 0 : found->second.link->unsent_bytes();
}

void PeerLinks::close(LinkId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  found->second.link->close();
  if (!found->second.dirty) dirty_.push_back(id);
  found->second.dirty = true;
}

void PeerLinks::flush() {
  std::vector<LinkId> dirty;
  dirty.swap(dirty_);
  for (const LinkId id : dirty) {
    const auto found = links_.find(id);
    if (found == links_.end()) continue;
    found->second.dirty = false;
    found->second.link->flush();
  }
}

void PeerLinks::reap() {
  std::vector<LinkId> over;
  over.swap(over_);
  for (const LinkId id : over) remove(id);
  update_dialers();
}

void PeerLinks::remove(LinkId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  const Entry entry = std::move(found->second);
  Link& link = *entry.link;
  links_.erase(found);
  if (link.is_whole()) {
    lingering_close_.close(link.take_stream(), {});
  } else if (!link.close_reason().empty() && !link.was_no_peer()) {
    log_(LogLevel::debug, "connection to a peer ended: " + link.close_reason());
  }
  if (entry.dialed) {
    const auto dialer = dialers_.find(*entry.dialed);
    if (dialer != dialers_.end()) dialer->second.on_link_ended(!link.was_no_peer());
  }
  sink_.on_link_down(id, link.close_reason());
  if (entry.dialed && link.was_no_peer()) sink_.on_dial_failed(*entry.dialed, link.close_reason());
}

void PeerLinks::update_dialers() {
  if (!wanted_) return;
  const std::vector<node::PeerAddress> wanted = std::move(*wanted_);
  wanted_.reset();
  std::set<std::string> keep;
  for (const node::PeerAddress& peer : wanted) {
    keep.insert(peer.id);
    const auto found = dialers_.find(peer.id);
    if (found != dialers_.end()) {
      found->second.set_address(peer.address);
      continue;
    }
    const std::string& id = peer.id;
    const std::uint64_t seed = prng_.next();
    const auto [dialer, added] = dialers_.try_emplace(
        id, loop_, peer.address, seed,
        Dialer::Events{
            .on_connected =
                [this, id](loop::Stream stream) {
                  begin(Transport(std::move(stream)), Link::Side::caller, id, {});
                },
            .on_failed = [this, id](const std::string& why) { sink_.on_dial_failed(id, why); }});
    const bool is_linked = std::any_of(
        links_.begin(), links_.end(), [&id](const auto& link) { return link.second.dialed == id; });
    if (!is_linked) dialer->second.begin();
  }
  std::erase_if(dialers_, [&keep](const auto& dialer) { return !keep.contains(dialer.first); });
}

}  // namespace zatt::server
