// SPDX-License-Identifier: AGPL-3.0-or-later
#include "node/recovery.h"

#include <utility>
#include <vector>

#include "base/text.h"
#include "node/bootstrap.h"
#include "raft/quorum.h"

namespace zatt::node {
namespace {

// Of the configuration that the directory knows, else of the file's.
std::string others_of(const raft::Configuration& known, const Options& options) {
  std::vector<std::string> members;
  for (const raft::Member& member : known.members) members.push_back(member.server.id);
  if (known.empty())
    for (const auto& [id, address] : options.cluster) members.push_back(id);
  std::string ids;
  for (const std::string& id : members)
    if (id != options.id) ids += (ids.empty() ? "" : ", ") + id;
  return ids;
}

// The configuration that the directory was last in: of its log, or of the offer it holds.
raft::Configuration last_configuration(const raft::Raft& raft, const storage::HardState& state) {
  if (!raft.configuration().empty()) return raft.configuration();
  const raft::Offer* offer = current_offer(state);
  return offer == nullptr ? raft::Configuration{} : offer->configuration;
}

Status check_identity(const Options& options, const storage::HardState& state) {
  if (state.self.id == options.id) return ok;
  const std::string of =
      state.cluster == ClusterId{} ? "" : " of cluster " + cluster_name(state.cluster);
  return Error{
      Code::foreign, 0, "",
      options.storage + " belongs to node " + state.self.id + of + ", not to node " + options.id};
}

Status check_cluster(const Options& options, const raft::Configuration& last) {
  if (last.empty()) return ok;
  const std::size_t members = last.members.size();
  if (options.cluster.size() == 1 && members > 1)
    return Error{Code::foreign, 0, "",
                 options.storage + " is a member of a cluster of " + std::to_string(members) +
                     "; give -c with the configuration file that names its members"};
  if (options.cluster.size() > 1 && members == 1)
    return Error{Code::foreign, 0, "",
                 options.storage +
                     " is a cluster of its own, with one member, and the "
                     "configuration names " +
                     std::to_string(options.cluster.size()) +
                     "; give this node another storage directory"};
  return ok;
}

Status validate_damage(const Options& options, const storage::ScanResult& found,
                       const raft::Configuration& last) {
  // Where the damage took the configuration too, the file says whether there is anybody to ask.
  const std::size_t members = last.empty() ? options.cluster.size() : last.members.size();
  if (!found.damage || members > 1) return ok;
  const storage::Damage& damage = *found.damage;
  return Error{Code::corrupt, 0, "",
               options.storage + "/" + damage.file + ", byte " + std::to_string(damage.offset) +
                   ": " + damage.what +
                   ". Nothing was changed. There is no other member to repair it from: put back a "
                   "copy of the whole directory, or move it away to start empty"};
}

// With an even number of voters whoever commits and whoever elects share a voter beside this one,
// so that what is known of the floor is enough. That takes knowing who the voters were: from the
// log, or, of its first entry, from the offer that was founded.
bool is_known_floor_enough(const storage::Damage& damage, const raft::Raft& raft,
                           const raft::Configuration& last) {
  const Index known = raft.configuration().empty() ? Index{1} : raft.configuration_index();
  return known == damage.configuration && raft::has_even_halves(last);
}

void log_damage(const Options& options, Env& env, const storage::Damage& damage,
                const raft::Configuration& last) {
  env.log(LogLevel::error,
          options.storage + "/" + damage.file + ", byte " + std::to_string(damage.offset) + ": " +
              damage.what + ". This node does not lead, and votes only for logs that " +
              (damage.floor_is_open ? "are of a later term than its own"
                                    : "hold what it had promised") +
              ", until the others (" + others_of(last, options) + ") have repaired it.");
}

}  // namespace

std::string cluster_name(ClusterId cluster) { return hex(raw(cluster), 16); }

Result<Opened> open_directory(const Options& options, Env& env, storage::Disk& disk) {
  raft::Options raft_options;
  raft_options.seed = env.random();
  raft_options.election_timeout_us = options.election_timeout_ms * 1000;
  raft_options.max_append_bytes = options.max_append_bytes;
  raft_options.max_in_flight_bytes = options.max_in_flight_bytes;
  raft_options.max_log_bytes = options.max_log_bytes;
  raft_options.instrumentation = options.instrumentation;
  raft_options.check_output = options.instrumentation != nullptr;  // as in the simulator
  auto raft = std::make_unique<raft::Raft>(raft_options);

  storage::Options storage_options;
  storage_options.directory = options.storage;
  storage_options.segment_bytes = options.segment_bytes;
  storage_options.instrumentation = options.instrumentation;
  auto found =
      storage::scan(disk, storage_options, [&](const EntryView& entry) { raft->restore(entry); });
  if (!found) return found.error();

  storage::HardState state;
  if (found->hard_state) {
    state = *found->hard_state;
    if (auto good = check_identity(options, state); !good) return good.error();
    const raft::Configuration last = last_configuration(*raft, state);
    if (auto good = check_cluster(options, last); !good) return good.error();
    if (auto good = validate_damage(options, *found, last); !good) return good.error();
  } else {
    if (!options.create)
      return Error{Code::invalid, 0, "",
                   options.storage +
                       " is empty, and \"create\" is \"never\": is the disk mounted that should be "
                       "there?"};
    state.self = {options.id, env.random()};
  }
  for (const std::string& note : found->notes)
    env.log(LogLevel::warning, options.storage + ": " + note);
  if (found->damage) {
    const raft::Configuration last = last_configuration(*raft, state);
    if (is_known_floor_enough(*found->damage, *raft, last)) found->damage->floor_is_open = false;
    log_damage(options, env, *found->damage, last);
  }

  auto storage = storage::Storage::start(disk, storage_options, std::move(*found), state);
  if (!storage) return storage.error();
  const storage::HardState& stored = (*storage)->hard_state();
  raft->restore(stored.self, stored.raft_state);
  return Opened{std::move(*storage), std::move(raft)};
}

}  // namespace zatt::node
