// SPDX-License-Identifier: AGPL-3.0-or-later
// ls, scan and export: everything below a prefix, page by page.
#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/pages.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

constexpr std::uint32_t a_page_for_people = 1'000;
constexpr std::size_t widest_key = 40;

using OnPage = std::function<void(const Reply&)>;

struct Ended {
  Exit code = Exit::done;
  std::optional<Reply> failed;  // the page that did not come
};

// Each page has been handed on, and what that added to the output is written.
Ended each_written(Context& context, zatt_request request, const OnPage& on_page) {
  const Arguments& arguments = context.arguments;
  if (!arguments.operands.empty()) request.prefix = bytes_of(arguments.operands[0]);
  request.stale = arguments.stale ? 1 : 0;
  auto failed = each_page(
      context.session, request, arguments.limit == 0 ? UINT64_MAX : arguments.limit,
      context.out.is_terminal() ? a_page_for_people : most_a_page, [&](const Reply& page) {
        on_page(page);
        return context.out.flush();
      });
  if (failed) return {exit_of(failed->error), std::move(failed)};
  return {context.out.failed() ? context.out.exit_code() : Exit::done, std::nullopt};
}

std::string as_json(const Item& item, bool with_value, bool with_rev) {
  std::string line = "{\"key\":" + json::string_text(item.key);
  if (with_value) line += ",\"value\":" + item.value;
  if (with_rev) line += ",\"rev\":" + std::to_string(item.rev);
  return line + "}\n";
}

// A tab between the two, which no key that is shown has; for people the values stand in a column.
void add_page(Context& context, const Reply& page) {
  std::vector<std::string> keys;
  std::size_t width = 0;
  for (const Item& item : page.items) {
    keys.push_back(shown_key(item.key));
    width = std::max(width, std::min(utf8_count(keys.back()), widest_key));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool aligned = context.out.is_terminal();
    context.out.add(aligned ? padded(keys[i], width) + "  " : keys[i] + "\t");
    context.out.add(page.items[i].value + "\n");
  }
}

}  // namespace

Exit run_list(Context& context) {
  zatt_request request = zatt_request_of(ZATT_OP_SCAN);
  const bool with_values = context.arguments.verb == Verb::scan;
  request.keys_only = with_values ? 0 : 1;
  const Ended ended = each_written(context, request, [&context, with_values](const Reply& page) {
    if (context.arguments.json) {
      for (const Item& item : page.items) context.out.add(as_json(item, with_values, true));
    } else if (with_values) {
      add_page(context, page);
    } else {
      for (const Item& item : page.items) context.out.add(shown_key(item.key) + "\n");
    }
  });
  return ended.failed ? context.fail(*ended.failed) : ended.code;
}

Exit run_export(Context& context) {
  Progress progress("exported", !context.out.is_terminal());
  if (progress.is_shown()) {
    zatt_request request = zatt_request_of(ZATT_OP_COUNT);
    if (!context.arguments.operands.empty())
      request.prefix = bytes_of(context.arguments.operands[0]);
    request.stale = context.arguments.stale ? 1 : 0;
    const Reply count = context.session.ask(request);
    if (count.error != ZATT_OK) return context.fail(count);
    progress.expect(static_cast<std::uint64_t>(count.number));
  }
  std::uint64_t keys = 0;
  const Ended ended = each_written(context, zatt_request_of(ZATT_OP_SCAN), [&](const Reply& page) {
    for (const Item& item : page.items) context.out.add(as_json(item, true, false));
    keys += page.items.size();
    progress.show(keys, keys);
  });
  progress.end();
  if (!ended.failed) return ended.code;
  const Exit code = context.fail(*ended.failed);
  if (keys > 0 && code != Exit::interrupted)
    print_error("the export is not complete: " + std::to_string(keys) + " keys were written");
  return code;
}

}  // namespace zatt::cli
