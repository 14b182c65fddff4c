// SPDX-License-Identifier: AGPL-3.0-or-later
#include "client/servers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/text.h"

namespace zatt::client {
namespace {

bool is_numeric(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

Error unclear(std::string_view text) {
  return {Code::invalid, 0, "",
          "\"" + std::string(text) + "\" is not a server: host:port expected, as 127.0.0.1:5254"};
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// host, host:port, [v6] or [v6]:port.
Result<Address> parse_server(std::string_view text) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return unclear(text);
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else if (std::count(text.begin(), text.end(), ':') <= 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(host.size());
  }
  Address address{std::string(host), default_port};
  if (host.empty() || host.find_first_of(" \t/\"") != std::string_view::npos) return unclear(text);
  if (port.empty()) return address;
  address.port = to_number<std::uint16_t>(port.substr(1)).value_or(0);
  if (port[0] != ':' || address.port == 0) return unclear(text);
  return address;
}

}  // namespace

Result<std::vector<Address>> parse_servers(std::string_view list) {
  std::vector<Address> servers;
  for (;;) {
    const std::size_t comma = list.find(',');
    auto server = parse_server(trimmed(list.substr(0, comma)));
    if (!server) return server.error();
    if (std::find(servers.begin(), servers.end(), *server) == servers.end())
      servers.push_back(std::move(*server));
    if (comma == std::string_view::npos) return servers;
    list.remove_prefix(comma + 1);
  }
}

Servers::Servers(std::vector<Address> given) {
  ZATT_ASSERT(!given.empty());
  for (Address& address : given) known_.push_back({std::move(address), "", true, never_us, ""});
}

Address Servers::next() {
  if (next_ >= known_.size()) next_ = 0;
  return known_[next_++].address;
}

void Servers::pin(const Address& server) {
  const Known* known = find(server);
  if (known != nullptr) next_ = static_cast<std::size_t>(known - known_.data()) + 1;
}

bool Servers::learn(const Address& server, const Reply& status) {
  Known* known = find(server);
  if (known != nullptr) known->why.clear();
  if (status.cluster.empty()) return true;
  const bool given = known != nullptr && known->given;
  if (!cluster_.empty() && cluster_ != status.cluster && !given) return false;
  cluster_ = status.cluster;
  // Members come and go: what is learned now replaces what was learned before.
  std::erase_if(known_, [&status](const Known& each) {
    return !each.given &&
           std::none_of(status.members.begin(), status.members.end(), [&each](const Member& m) {
             return each.address == Address{m.host, m.port};
           });
  });
  for (Known& each : known_) each.id.clear();
  for (const Member& member : status.members) learn_member(member);
  pin(server);
  return true;
}

void Servers::learn_member(const Member& member) {
  const Address address{member.host, member.port};
  if (Known* known = find(address)) {
    known->id = member.id;
  } else if (is_numeric(member.host)) {
    known_.push_back({address, member.id, false, never_us, ""});
  }
}

std::optional<Address> Servers::find(std::string_view id) const {
  for (const Known& known : known_)
    if (!known.id.empty() && known.id == id) return known.address;
  return std::nullopt;
}

void Servers::failed(const Address& server, std::string why, std::uint64_t now_us) {
  if (Known* known = find(server)) {
    known->failed_us = now_us;
    known->why = std::move(why);
  }
  pin(server);
}

std::string Servers::failures(const Address* tried) const {
  std::string all;
  for (const Known& known : known_) {
    std::string why = known.why;
    if (why.empty() && tried != nullptr && known.address == *tried)
      why = "it did not answer in time";
    if (!why.empty()) all += (all.empty() ? "" : "; ") + to_string(known.address) + ": " + why;
  }
  return all;
}

bool Servers::has_failed_lately(const Address& server, std::uint64_t now_us) const {
  const Known* known = find(server);
  return known != nullptr && known->failed_us != never_us && now_us < known->failed_us + lately_us;
}

const Servers::Known* Servers::find(const Address& address) const {
  const auto it = std::find_if(known_.begin(), known_.end(),
                               [&address](const Known& each) { return each.address == address; });
  return it == known_.end() ? nullptr : &*it;
}

Servers::Known* Servers::find(const Address& address) {
  return const_cast<Known*>(std::as_const(*this).find(address));
}

}  // namespace zatt::client
