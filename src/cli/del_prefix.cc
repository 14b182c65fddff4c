// SPDX-License-Identifier: AGPL-3.0-or-later
// del --prefix: all keys that begin with it, page by page, many deletes under way at once.
//
// A person is asked first; where there is none to ask, --yes must have been said.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/text.h"
#include "cli/batch.h"
#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/pages.h"
#include "cli/progress.h"
#include "cli/question.h"
#include "cli/text.h"
#include "json/writer.h"

namespace zatt::cli {
namespace {

class PrefixDelete {
 public:
  explicit PrefixDelete(Context& context) : work_(context), prefix_(*context.arguments.prefix) {}

  Exit run() {
    if (!work_.arguments.yes && !(work_.asks && can_ask()))
      return print_usage_error(
          "del --prefix asks before it deletes, and nobody is there to be asked: --yes deletes "
          "without asking; zatt count " +
          json::string_text(prefix_) + " says how many keys it would be");
    zatt_request request = zatt_request_of(ZATT_OP_COUNT);
    request.prefix = bytes_of(prefix_);
    const Reply count = work_.session.ask(request);
    if (count.error != ZATT_OK) return work_.fail(count);
    total_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, count.number));
    if (total_ > 0 && !work_.arguments.yes) {
      const auto agreed = ask_person(question(), work_.interrupts);
      if (!agreed) return Exit::interrupted;
      if (!*agreed) print_error("nothing was deleted");
      if (!*agreed) return Exit::no;
    }
    return delete_all();
  }

 private:
  std::string question() const {
    return prefix_.empty()
               ? "delete all keys, " + std::to_string(total_) + "? [y/N] "
               : "delete " + keys_text(total_) + " under " + shown_quoted() + "? [y/N] ";
  }
  std::string shown_quoted() const {
    const bool plain = !has_control_characters(prefix_) && prefix_.find('\'') == std::string::npos;
    return plain ? "'" + prefix_ + "'" : json::string_text(prefix_);
  }

  Exit delete_all() {
    Progress progress("deleted", true);
    progress.expect(total_);
    Batch batch(
        work_, static_cast<std::size_t>(std::clamp<std::uint64_t>(total_, 2, SIZE_MAX)),
        [&](const std::string&, const Reply& reply) {
          ++(reply.found ? deleted_ : gone_);
          progress.show(deleted_ + gone_, deleted_);
          return Exit::done;
        },
        Json::none);
    const Exit listed = delete_pages(batch);
    progress.end();
    return report(std::max(listed, batch.worst()), batch.unknown());
  }

  // The deletes of a page are answered before the next is asked for: none overtakes another.
  Exit delete_pages(Batch& batch) {
    zatt_request scan = zatt_request_of(ZATT_OP_SCAN);
    scan.prefix = bytes_of(prefix_);
    scan.keys_only = 1;
    zatt_request erase = zatt_request_of(ZATT_OP_DELETE);
    const auto failed =
        each_page(work_.session, scan, UINT64_MAX, most_a_page, [&](const Reply& page) {
          for (const Item& item : page.items) {
            erase.key = bytes_of(item.key);
            if (!batch.send(erase)) break;
          }
          batch.drain();
          return !batch.is_stopped();
        });
    return failed ? work_.fail(*failed, {}, Json::none) : Exit::done;
  }

  Exit report(Exit code, std::uint64_t unknown) {
    if (code == Exit::interrupted && unknown > 0) code = Exit::unknown;
    if (work_.arguments.json)
      work_.out.add("{\"deleted\":" + std::to_string(deleted_) +
                    ",\"left\":" + std::to_string(left(code, unknown)) +
                    ",\"unknown\":" + std::to_string(unknown) + "}\n");
    if (code != Exit::done)
      print_error(how_far(code, unknown));
    else if (!work_.arguments.json)
      work_.out.add(keys_text(deleted_) + " deleted\n");
    return code == Exit::done && deleted_ == 0 ? Exit::no : code;
  }

  // Of those that were there when it began.
  std::uint64_t left(Exit code, std::uint64_t unknown) const {
    const std::uint64_t gone = deleted_ + gone_ + unknown;
    return code == Exit::done || gone >= total_ ? 0 : total_ - gone;
  }
  std::string how_far(Exit code, std::uint64_t unknown) const {
    std::string text = std::to_string(deleted_) + " of " + keys_text(total_) + " deleted";
    if (unknown > 0) text += ", of " + std::to_string(unknown) + " it is unknown";
    return text + "; " + std::to_string(left(code, unknown)) +
           " left: the same command again deletes what is left";
  }

  Context& work_;
  const std::string& prefix_;
  std::uint64_t total_ = 0;
  std::uint64_t deleted_ = 0;
  std::uint64_t gone_ = 0;  // somebody else was first
};

}  // namespace

Exit run_del_prefix(Context& context) { return PrefixDelete(context).run(); }

}  // namespace zatt::cli
