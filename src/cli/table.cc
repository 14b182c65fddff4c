// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/table.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/text.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

constexpr std::string_view green = "\x1b[32m";
constexpr std::string_view yellow = "\x1b[33m";
constexpr std::string_view red = "\x1b[31m";
constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view plain = "\x1b[0m";

using Cells = std::array<std::string, 6>;  // mark and node, address, role, term, lag, up

std::string coloured(std::string_view text, std::string_view escape, bool colour) {
  if (!colour || escape.empty()) return std::string(text);
  return std::string(escape) + std::string(text) + std::string(plain);
}

// "ok: node 1 leads in term 4; 3 of 3 voters answer".
std::string headline(const ClusterStatus& status, bool colour) {
  const std::string_view escape = !status.quorum ? red : status.whole ? green : yellow;
  std::string text = coloured(state_of(status), escape, colour) + ": ";
  if (!status.leader.empty())
    text += "node " + printable(status.leader) +
            (status.quorum ? " leads in term " : " led last, in term ") +
            std::to_string(status.term);
  else
    text += std::all_of(status.rows.begin(), status.rows.end(),
                        [](const Row& row) { return row.answer == nullptr; })
                ? (status.rows.size() == 1 ? "the one server that was asked does not answer "
                                             "(--servers or ZATT_SERVERS name others)"
                                           : "no server answers")
                : "no leader";
  if (status.voters > 0)
    text += "; " + std::to_string(status.reached) + " of " + std::to_string(status.voters) +
            (status.voters == 1 ? " voter" : " voters") +
            (status.reached == 1 ? " answers" : " answer") +
            (status.quorum ? "" : ", and it takes " + std::to_string(status.voters / 2 + 1));
  return text;
}

std::string known_of(const ClusterStatus& status) {
  if (status.cluster.empty()) return "";
  std::string text = "cluster " + printable(status.cluster) + ", " + keys_text(status.keys);
  std::vector<std::string> versions;
  for (const Row& row : status.rows)
    if (row.answer != nullptr &&
        std::find(versions.begin(), versions.end(), row.answer->version) == versions.end())
      versions.push_back(row.answer->version);
  for (std::size_t i = 0; i < versions.size(); ++i)
    text += (i == 0 ? ", version " : " and ") + printable(versions[i]);
  return text;
}

Cells cells_of(const Row& row) {
  Cells cells;
  cells[0] = (row.leads ? "* " : "  ") + (row.id.empty() ? "?" : printable(row.id));
  cells[1] = printable(row.address);
  cells[2] = row.answer != nullptr ? printable(row.answer->role) : "no answer";
  cells[3] = row.answer != nullptr ? std::to_string(row.answer->term) : "-";
  cells[4] = row.lag ? std::to_string(*row.lag) : "-";
  cells[5] = row.answer != nullptr ? duration_of(row.answer->uptime_s) : "-";
  return cells;
}

std::string reason_of(const Row& row) {
  if (row.answer == nullptr) return printable(row.why);
  return row.member ? "" : "not a member";
}

bool is_number_column(std::size_t column) { return column >= 3; }

std::string joined(const Cells& cells, const std::array<std::size_t, 6>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += "  ";
    const std::size_t own = utf8_count(cells[i]);
    const std::string space(widths[i] - std::min(widths[i], own), ' ');
    line += is_number_column(i) ? space + cells[i] : cells[i] + space;
  }
  return line;
}

std::string escape_of(const Row& row) {
  if (row.answer == nullptr) return std::string(red);
  if (is_troubled(row)) return std::string(yellow);
  return row.leads ? std::string(bold) : std::string();
}

void add_json_row(std::string& out, const Row& row) {
  const auto string_or_null = [](const std::string& text) {
    return text.empty() ? std::string("null") : json::string_text(text);
  };
  out += "{\"id\":" + string_or_null(row.id) + ",\"address\":" + json::string_text(row.address);
  out += std::string(",\"member\":") + (row.member ? "true" : "false");
  out += std::string(",\"voter\":") + (row.voter ? "true" : "false");
  out += std::string(",\"reached\":") + (row.answer != nullptr ? "true" : "false");
  if (row.answer == nullptr) {
    out += ",\"why\":" + json::string_text(row.why);
  } else {
    out += ",\"role\":" + json::string_text(row.answer->role);
    out += ",\"term\":" + std::to_string(row.answer->term);
    out += ",\"last\":" + std::to_string(row.answer->last);
    out += ",\"keys\":" + std::to_string(row.answer->keys);
    out += ",\"version\":" + json::string_text(row.answer->version);
    out += ",\"uptime_s\":" + std::to_string(row.answer->uptime_s);
  }
  out += ",\"lag\":" + (row.lag ? std::to_string(*row.lag) : std::string("null"));
  out += "," + json_of_notices(row.notices) + "}";
}

}  // namespace

std::string json_of_notices(const std::vector<std::string>& notices) {
  return "\"notices\":[" + join(notices, ",", json::string_text) + "]";
}

std::string duration_of(std::uint64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 120 * 60) return std::to_string(seconds / 60) + "m";
  if (seconds < 48 * 3'600) return std::to_string(seconds / 3'600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

std::string table_of(const ClusterStatus& status, bool colour) {
  std::string text = headline(status, colour) + "\n";
  if (const std::string known = known_of(status); !known.empty()) text += known + "\n";
  std::vector<Cells> lines = {{"  NODE", "ADDRESS", "ROLE", "TERM", "LAG", "UP"}};
  for (const Row& row : status.rows) lines.push_back(cells_of(row));
  std::array<std::size_t, 6> widths{};
  for (const Cells& cells : lines)
    for (std::size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], utf8_count(cells[i]));
  text += "\n" + joined(lines[0], widths) + "\n";
  for (std::size_t i = 0; i < status.rows.size(); ++i) {
    const std::string reason = reason_of(status.rows[i]);
    text += coloured(joined(lines[i + 1], widths) + (reason.empty() ? "" : "  " + reason),
                     escape_of(status.rows[i]), colour) +
            "\n";
  }
  std::string notices;
  for (const Row& row : status.rows)
    for (const std::string& notice : row.notices)
      notices += "node " + printable(row.id) + ": " + printable(notice) + "\n";
  return notices.empty() ? text : text + "\n" + notices;
}

std::string json_of(const ClusterStatus& status) {
  const bool leader = !status.leader.empty();
  std::string out = std::string("{\"ok\":") + (status.whole ? "true" : "false");
  out += ",\"state\":" + json::string_text(state_of(status));
  out += ",\"cluster\":" + json::string_text(status.cluster);
  out += ",\"leader\":" + (leader ? json::string_text(status.leader) : std::string("null"));
  out += ",\"term\":" + std::to_string(status.term);
  out += ",\"voters\":" + std::to_string(status.voters);
  out += ",\"reached\":" + std::to_string(status.reached);
  out += ",\"keys\":" + std::to_string(status.keys) + ",\"members\":[";
  for (std::size_t i = 0; i < status.rows.size(); ++i) {
    if (i > 0) out += ',';
    add_json_row(out, status.rows[i]);
  }
  return out + "]}\n";
}

}  // namespace zatt::cli
