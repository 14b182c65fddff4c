// SPDX-License-Identifier: AGPL-3.0-or-later
#include "config/settings.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/version.h"
#include "config/machine_memory.h"

namespace zatt::config {
namespace {

Error wrong(const std::string& what) { return {Code::invalid, 0, "", what}; }

std::string ids_in(const Members& members) {  // "0, 1, 2"
  return join(members, ", ", &Members::value_type::first);
}

// Checks the settings one after the other; stops at the first that is wrong.
class Resolver {
 public:
  explicit Resolver(Inputs sources)
      : remotes_(std::move(sources.remotes)),
        raw_(std::move(sources.raw)),
        file_(std::move(sources.file)),
        wants_id_(sources.wants_id),
        id_option_(sources.id_option) {}
  Result<Settings> run();

 private:
  // The setting as it was given, or nullptr.
  const RawSetting* find(std::string_view name) const {
    const auto found = raw_.find(name);
    return found == raw_.end() ? nullptr : &found->second;
  }
  // What a message about a given setting begins with: "--port 70000: ", "zatt.conf: port 70000: ".
  std::string place(std::string_view name) const;
  // Adds a line for --print-config.
  void show(std::string_view name, std::string value, std::string from) {
    settings_.lines.push_back({std::string(name), std::move(value), std::move(from)});
  }

  // Each fills in its part of settings_ and shows it; an error is a sentence that names the source.
  void resolve_config();
  // The members and which of them this is: from --remote-address, from the file, or this one alone.
  Status resolve_cluster();
  Status resolve_cluster_of_flags();
  Status resolve_cluster_of_file();
  Status resolve_cluster_of_one();
  // Checks the members that are known now: others must be able to dial them.
  Status resolve_members() const;
  // What was given of address and port over what is in `address`, without showing it.
  Status resolve_address(Address& address);
  Status resolve_listen();   // needs the cluster
  Status resolve_storage();  // needs the id
  // `number` holds the default; a given one must be from low to high.
  Status resolve_number(std::string_view name, std::uint64_t low, std::uint64_t high,
                        std::uint64_t& number);
  Status resolve_memory();
  Status resolve_create();
  Status resolve_debug();

  const std::vector<Address> remotes_;
  const RawSettings raw_;
  const ConfigFile file_;
  const bool wants_id_;
  const std::string id_option_;
  Settings settings_;
};

std::string Resolver::place(std::string_view name) const {
  const RawSetting& raw = *find(name);
  const bool in_file = !raw.from.starts_with("--") && !raw.from.starts_with("ZATT_");
  return raw.from + (in_file ? ": " + std::string(name) : "") + " " + quote(raw.text) + ": ";
}

void Resolver::resolve_config() {
  const RawSetting* const config = find("config");
  if (config != nullptr) settings_.config = config->text;
  show("config", config != nullptr ? config->text : "(none)",
       config != nullptr ? config->from : "default");
}

// The address and port that flags, environment or file name, over what stands there already.
Status Resolver::resolve_address(Address& address) {
  if (const RawSetting* const host = find("address"); host != nullptr) {
    if (const std::string what = what_is_wrong_with_host(host->text); !what.empty())
      return wrong(place("address") + what);
    address.host = host->text;
  }
  if (const RawSetting* const port = find("port"); port != nullptr) {
    const auto number = to_port(port->text);
    if (!number) return wrong(place("port") + "a port is a number from 1 to 65535");
    address.port = *number;
  }
  return ok;
}

// The members are this node and the remote ones; ids are their places once sorted, which is the
// same order on every node that is told of the same addresses.
Status Resolver::resolve_cluster_of_flags() {
  Address own{std::string(default_host), default_port};
  if (Status good = resolve_address(own); !good) return good;
  if (is_wildcard(own.host))
    return wrong("--address " + own.host +
                 ": with --remote-address it is what the other nodes dial, and they cannot dial "
                 "this one; use a configuration file to listen on another one");
  std::vector<Address> all = remotes_;
  all.push_back(own);
  std::sort(all.begin(), all.end());
  const auto twice = std::adjacent_find(all.begin(), all.end());
  if (twice != all.end()) return wrong(to_string(*twice) + " is named twice");
  node::Options& node = settings_.node;
  for (std::size_t i = 0; i < all.size(); ++i) {
    node.cluster.emplace(std::to_string(i), all[i]);
    if (all[i] == own) node.id = std::to_string(i);
  }
  const RawSetting* const id = find("id");
  if (id != nullptr && id->text != node.id)
    return wrong(place("id") + "by its address, " + to_string(own) + ", this node is " +
                 quote(node.id));
  show("id", node.id, "--remote-address");
  return ok;
}

// What stands there is what the other nodes dial.
Status Resolver::resolve_members() const {
  const Members& members = settings_.node.cluster;
  for (const auto& [id, address] : members)
    if (members.size() > 1 && is_wildcard(address.host))
      return wrong(settings_.config + ": node " + quote(id) + " is at " + to_string(address) +
                   ", which the other nodes cannot dial; give its own address there, and -a " +
                   address.host + " to the node, so that it listens on all it has");
  return ok;
}

Status Resolver::resolve_cluster_of_file() {
  node::Options& node = settings_.node;
  node.cluster = *file_.cluster;
  if (const Status good = resolve_members(); !good) return good;
  const RawSetting* const id = find("id");
  if (id != nullptr) {
    if (!node.cluster.contains(id->text))
      return wrong("no node " + quote(id->text) + " in " + settings_.config + "; it has " +
                   ids_in(node.cluster));
    node.id = id->text;
    show("id", node.id, id->from);
  } else if (node.cluster.size() == 1) {
    node.id = node.cluster.begin()->first;
    show("id", node.id, settings_.config);
  } else if (wants_id_) {
    return wrong("which node is this? give " + id_option_ + "; " + settings_.config + " has " +
                 ids_in(node.cluster));
  } else {
    show("id", "(none)", "default");  // the file can be looked at without it
  }
  return ok;
}

Status Resolver::resolve_cluster_of_one() {
  node::Options& node = settings_.node;
  node.id = "0";
  const RawSetting* const id = find("id");
  if (id != nullptr) {
    if (const std::string what = what_is_wrong_with_id(id->text); !what.empty())
      return wrong(place("id") + what);
    node.id = id->text;
  }
  Address own{std::string(default_host), default_port};
  if (Status good = resolve_address(own); !good) return good;
  node.cluster.emplace(node.id, own);
  show("id", node.id, id != nullptr ? id->from : "default");
  return ok;
}

Status Resolver::resolve_cluster() {
  Status good = !remotes_.empty() ? resolve_cluster_of_flags()
                : file_.cluster   ? resolve_cluster_of_file()
                                  : resolve_cluster_of_one();
  if (!good) return good;
  const std::string from = !remotes_.empty() ? "--remote-address"
                           : file_.cluster   ? settings_.config
                                             : "default";
  for (const auto& [id, address] : settings_.node.cluster)
    show("cluster." + id, to_string(address), from);
  return ok;
}

Status Resolver::resolve_listen() {
  const auto own = settings_.node.cluster.find(settings_.node.id);
  if (own != settings_.node.cluster.end()) settings_.listen = own->second;
  if (Status good = resolve_address(settings_.listen); !good) return good;
  const bool known = own != settings_.node.cluster.end();
  const std::string otherwise = remotes_.empty() && !file_.cluster ? "default" : "cluster";
  const RawSetting* const host = find("address");
  const RawSetting* const port = find("port");
  if (known || host != nullptr)
    show("address", settings_.listen.host, host != nullptr ? host->from : otherwise);
  if (known || port != nullptr)
    show("port", std::to_string(settings_.listen.port), port != nullptr ? port->from : otherwise);
  return ok;
}

Status Resolver::resolve_storage() {
  node::Options& node = settings_.node;
  const RawSetting* const storage = find("storage");
  if (storage != nullptr && storage->text.empty())
    return wrong(place("storage") + "a directory's name is wanted");
  node.storage = storage != nullptr ? storage->text : "zatt." + node.id + ".persist";
  if (storage != nullptr || !node.id.empty())
    show("storage", node.storage, storage != nullptr ? storage->from : "default");
  return ok;
}

Status Resolver::resolve_number(std::string_view name, std::uint64_t low, std::uint64_t high,
                                std::uint64_t& number) {
  const RawSetting* const raw = find(name);
  if (raw != nullptr) {
    const auto value = to_number<std::uint64_t>(raw->text);
    if (!value || *value < low || *value > high)
      return wrong(place(name) + "a whole number from " + std::to_string(low) + " to " +
                   std::to_string(high) + " is wanted");
    number = *value;
  }
  show(name, std::to_string(number), raw != nullptr ? raw->from : "default");
  return ok;
}

// Four requests are the least with which everybody gets a turn.
Status Resolver::resolve_memory() {
  node::Options& node = settings_.node;
  const std::uint64_t least = 4 * node.max_request_bytes;
  node.max_buffer_bytes =
      std::max(least, std::min<std::uint64_t>(64 << 20, machine_memory_bytes() / 16));
  return resolve_number("max_buffer_bytes", least, 1ULL << 30, node.max_buffer_bytes);
}

Status Resolver::resolve_create() {
  const RawSetting* const raw = find("create");
  const std::string text = raw != nullptr ? raw->text : "auto";
  if (text != "auto" && text != "never")
    return wrong(place("create") + "\"auto\" or \"never\" is wanted");
  settings_.node.create = text == "auto";
  show("create", text, raw != nullptr ? raw->from : "default");
  return ok;
}

Status Resolver::resolve_debug() {
  const RawSetting* const raw = find("debug");
  const std::string text = raw != nullptr ? raw->text : "false";
  const bool yes = text == "true" || text == "1";
  if (!yes && text != "false" && text != "0")
    return wrong(place("debug") + "\"true\" or \"false\" is wanted");
  settings_.debug = yes;
  show("debug", yes ? "true" : "false", raw != nullptr ? raw->from : "default");
  return ok;
}

Result<Settings> Resolver::run() {
  node::Options& node = settings_.node;
  node.version = version_text;
  resolve_config();
  if (const Status good = resolve_cluster(); !good) return good.error();
  if (const Status good = resolve_listen(); !good) return good.error();
  if (const Status good = resolve_storage(); !good) return good.error();
  struct Number {
    std::string_view name;
    std::uint64_t low;
    std::uint64_t high;
    std::uint64_t& value;
  };
  const Number numbers[] = {
      {"election_timeout_ms", 50, 600'000, node.election_timeout_ms},
      {"segment_bytes", 1 << 16, 1 << 30, node.segment_bytes},
      {"max_request_bytes", 4 << 10, 16 << 20, node.max_request_bytes},
  };
  for (const Number& number : numbers) {
    const Status good = resolve_number(number.name, number.low, number.high, number.value);
    if (!good) return good.error();
  }
  if (const Status good = resolve_memory(); !good) return good.error();
  if (const Status good = resolve_create(); !good) return good.error();
  if (const Status good = resolve_debug(); !good) return good.error();
  return std::move(settings_);
}

// "[::1]" is how addresses with ports are written; here the brackets have done their work.
void strip_brackets(RawSettings& raw) {
  const auto address = raw.find("address");
  if (address == raw.end()) return;
  std::string& host = address->second.text;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
}

}  // namespace

std::string summary(const Settings& settings) {
  const bool known = !settings.node.id.empty();
  return (known ? "node " + settings.node.id + " of " : "nodes ") + ids_in(settings.node.cluster) +
         (known ? ", listening on " + to_string(settings.listen) + ", storage " +
                      settings.node.storage
                : "");
}

Result<Settings> resolve(Inputs sources) {
  RawSettings in_file = sources.file.settings;
  sources.raw.merge(in_file);
  strip_brackets(sources.raw);
  return Resolver(std::move(sources)).run();
}

}  // namespace zatt::config
