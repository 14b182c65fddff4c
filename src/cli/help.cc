// SPDX-License-Identifier: AGPL-3.0-or-later
#include "cli/help.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "cli/text.h"

namespace zatt::cli {
namespace {

constexpr std::string_view before_verbs =
    R"(zatt - the keys and values of a zatt cluster, from a shell

    zatt set lamp '{"on": true}'      zatt get lamp      zatt status

)";

constexpr std::string_view after_verbs =
    R"(
zatt help VERB says more, with examples. A bare zatt at a terminal has a prompt for these commands.

Options, anywhere after zatt
  -s, --servers HOST:PORT,...  some of the members; the others are found by themselves. Without it
                               the variable ZATT_SERVERS, else 127.0.0.1:5254
  -t, --timeout SECONDS        how long one request may take: 0.001 to 600. zatt waits that long for
                               a server to come back; without this option 5 at most, and only about
                               1 for each server where none answers
  --json                       JSON for programs, one object a line
  -h, --help, --version
  --                           ends the options; a negative number is never one

Exit codes
  0  done                      3  nothing happened: try again (no server, no leader, ...)
  1  no: absent, a condition   4  nobody knows: a write was sent and not answered. It may take
     did not hold, degraded       effect now, later or never
  2  the command is wrong      5  refused: it would be again (too large, no member has room, ...)
                               6  done, but the output could not be written
  130  ^C, and nothing was sent that may change anything       141  nobody reads the output
)";

constexpr std::string_view conditions =
    R"(
  --if-absent                  only where there is no such key
  --if-exists                  only where there is one
  --if-rev N                   only where its revision is N, as get --json says; 0: absent
  --if-value JSON              only where its value is this: the same text, spaces aside
A condition that does not hold changes nothing, says what is there instead, and ends with 1.
)";

struct VerbText {
  Verb verb;
  std::string_view body;
  std::string_view examples;  // printed after the conditions
};

constexpr VerbText texts[] = {
    {Verb::get,
     R"(Prints the JSON text of the key's value. Where there is no such key: nothing, and exit code 1.
Of several keys each that is there has a line, in the order asked: key, tab, value. Each is a read
of its own. Exit code 1 where one of them was not there.

  -r, --raw                    a string without quotes and escapes; other values as they are
  --stale                      at once, from the server that is asked, perhaps from the past; also
                               where there is no leader
  --json                       the reply: {"ok":true,"found":true,"value":V,"rev":N}

    zatt set motd 'Hello, world'
    zatt get motd                              # "Hello, world"
    zatt get -r motd                           # Hello, world
    zatt get motd --json                       # with its revision
    zatt set a 1 b 2; zatt get a b             # two lines: key, tab, value
    zatt get nobody || echo "there is none"    # exit code 1
    name=$(zatt get -r motd)                   # into a variable
)",
     ""},
    {Verb::set,
     R"(VALUE is JSON where it parses as JSON, and else a string. But what begins with {, [ or " and is
not JSON is an error: more often than not the shell has taken the quotes. So put JSON into '...'.
A VALUE of - is read from standard input, @FILE from a file; one newline at its end is not part
of a string. (A string that begins with @ or is - is typed as JSON: '"@home"'.)
Several pairs are several writes, in order, many under way at once; all values are looked at before
the first is sent. After one that fails no more are sent. A condition goes for each of them.

  --as-json                    it is JSON, or an error
  --string                     it is a string, whatever it looks like
)",
     R"(
    zatt set lamp '{"on": true}'               # an object
    zatt set motd 'Hello, world'               # a string: it is not JSON
    zatt set count 0                           # a number
    zatt set a 1 b '"two"' c three             # three keys
    zatt set zip --string 01234                # a string of digits
    date | zatt set now -                      # from a pipe
    zatt set conf @conf.json                   # from a file
    zatt set lock "$$" --if-absent             # only one of many gets it
    zatt set lamp '{"on": false}' --if-value '{"on": true}'
)"},
    {Verb::del,
     R"(Deletes each KEY. Exit code 1 where one of them was not there. Several keys are several writes,
in order, many under way at once; after one that fails no more are sent.
With --prefix all keys that begin with PREFIX go: it says how many there are and asks; without a
terminal to ask at, it wants --yes. Each key is a delete of its own: one that is set meanwhile may
be deleted or not. Where it fails midway it says how many are left; it can be run again. Exit code
1: there was none, or the answer was no.

  -p, --prefix PREFIX          all keys that begin with it; '' is all there are
  -y, --yes                    with --prefix: without asking
  --if-rev N                   only where its revision is N, as get --json says
  --if-value JSON              only where its value is this: the same text, spaces aside

    zatt set old 1
    zatt del old
    zatt del old || echo "it was gone"         # exit code 1
    zatt set a:1 x; zatt set a:2 y
    zatt del --prefix a: --yes                 # all below a prefix
)",
     ""},
    {Verb::incr,
     R"(Adds BY to the key's value, 1 where it is left out, and prints the sum. Nobody comes between: of
a hundred who do this at the same time each gets another number. An absent key counts as 0; a value
that is not a 64-bit integer is left as it is (exit code 1). BY may be negative.
)",
     R"(
    zatt incr visits                           # 1
    zatt incr visits 10                        # 11
    zatt incr visits -1                        # 10
    ticket=$(zatt incr tickets)                # a number that nobody else has
)"},
    {Verb::ls,
     R"(Lists the keys that begin with PREFIX, or all, a line each, in the order of their bytes. A key
that is empty, begins with a quote or has control characters (a newline, say) is shown as a JSON
string: such a line is for looking at; programs take --json.

  -n, --limit N                at most so many
  --stale                      at once, from the server that is asked, perhaps from the past
  --json                       {"key":K,"rev":N} a line

    zatt set room:1 '{"light": "on"}'
    zatt ls room:
    zatt ls room: | while read -r key; do zatt get "$key"; done
    zatt ls -n 10
)",
     ""},
    {Verb::scan,
     R"(Lists the keys that begin with PREFIX, or all, with their values: key, tab, JSON text, in the
order of the keys' bytes. It asks for a page at a time: each page is one picture, two are two.

  -n, --limit N                at most so many
  --stale                      at once, from the server that is asked, perhaps from the past
  --json                       {"key":K,"value":V,"rev":N} a line

    zatt set room:1 '{"light": "on"}'
    zatt scan room:
    zatt scan room: | cut -f 2                 # the values
    zatt scan --json | head -1
)",
     ""},
    {Verb::count, R"(Prints how many keys begin with PREFIX, or how many there are.

  --stale                      at once, from the server that is asked, perhaps from the past

    zatt count
    zatt count room:
)",
     ""},
    {Verb::export_keys,
     R"(Writes {"key":K,"value":V} a line, for zatt import or for jq. It goes page by page: keys that
change meanwhile come as they were when their page was read.

  --stale                      from the server that is asked; also where there is no leader

    zatt set room:1 '{"light": "on"}'
    zatt export > all.jsonl
    zatt export room: | gzip > rooms.jsonl.gz
)",
     ""},
    {Verb::import,
     R"(Sets what each line says, {"key":K,"value":V}, from FILE or standard input, and says how many.
At the first line that is wrong or not done it stops, names it, and says how far it came: the
lines before are done, others are not undone. It can be run again: it sets the same once more.

  --if-absent                  keys that are there already stay as they are

    zatt set room:1 '{"light": "on"}'
    zatt export room: > rooms.jsonl
    zatt import rooms.jsonl
    zatt import --if-absent < rooms.jsonl
    zatt export room: | zatt import            # or into another cluster, with --servers
)",
     ""},
    {Verb::raw,
     R"(Passes each line of standard input on as a request of the protocol, and writes each reply as soon
as it comes, in order. Many may be under way. Where a server is lost, the next takes the lines
that follow; what was not answered is, in its place, {"ok":false,"error":"outcome_unknown",...}.
The exit code is the highest of those of its replies. Each line may name its own "timeout_ms";
a second more is waited for the answer, or --timeout.

    echo '{"op":"set","key":"k","value":1}' | zatt raw
    printf '%s\n' '{"op":"ping"}' '{"op":"count"}' | zatt raw
)",
     ""},
    {Verb::status,
     R"(Asks every member itself, all at the same time, and shows each on a line: its role, its term,
how many entries it lacks of the leader's log (LAG), how long it has been up, and what is wrong
where it does not answer. The leader has a star. --timeout is for one member, default 1 here.
Exit code 0: ok, all is well with everyone. 1: degraded, the cluster serves, but something is wrong,
and the lines say what. 3: down, there is no leader or no majority of the voters.
With --watch it looks again and again until ^C, and ends with what the last look showed. At a
terminal each picture takes the place of the one before; elsewhere each follows after an empty line.

  -w, --watch [SECONDS]        every 2 seconds, or as often as this says: 0.1 to 600
  --json                       all of it as one object: "state", and "ok" where the exit code is 0

    zatt status
    zatt status --json
    zatt status > report || cat report
    zatt status --watch --json | head -1       # or without head, until ^C
)",
     ""},
    {Verb::members,
     R"(Lists the members: id, address, whether it leads, votes, or only learns, and what is wrong with
it. As one server says; zatt status asks each.

  --json                       an object a line

    zatt members
    zatt members | while read -r id address role wrong; do echo "$address"; done
)",
     ""},
    {Verb::wait,
     R"(Waits until there is a leader that a majority follows, at most --timeout seconds, default 5. The
servers need not be up yet. Exit code 3 where there is none in time.

  --json                       the leader's status

    zatt wait --timeout 60 && zatt set started true
)",
     ""},
    {Verb::lines,
     R"(Reads commands from standard input, a line each, as they stand after "zatt" in a shell, and carries
them out one after the other over one connection: for scripts, and for a program that keeps it open.
Words are cut as a shell does: '...' takes all as it is, "..." too but for \" and \\, a \ outside of
both the next character. What begins with { or [ is JSON up to its closing bracket, and needs no
quotes. A # where a word would begin is a comment. $ and * are characters like others; ; | & < > are
refused outside of quotes: a line is one command.
The first line that fails, with whatever exit code, ends it: it is named by its number on standard
error, and its exit code is that of zatt. Options that stand before the - go for all lines.
raw, and whatever else reads standard input, has no place in a line.

  -k, --keep-going             the lines after one that failed, too; the exit code is still that of
                               the first that failed

    printf '%s\n' 'set a 1' 'set lamp {"on": true}' 'get a' | zatt -
    printf 'incr visits\nincr visits\n' | zatt --keep-going -
    echo 'set a 2' > commands; zatt - < commands
)",
     ""},
    {Verb::help, R"(With VERB, what it does, and examples.

    zatt help
    zatt help set
)",
     ""},
};

const VerbText& text_of(Verb verb) {
  const auto* const text = std::find_if(std::begin(texts), std::end(texts),
                                        [verb](const auto& each) { return each.verb == verb; });
  if (text == std::end(texts)) std::abort();
  return *text;
}

}  // namespace

std::string help_text() {
  std::string text(before_verbs);
  for (const VerbRow& verb : verb_rows())
    text += "  " + padded(std::string(verb.name) + " " + std::string(verb.operands), 18) +
            std::string(verb.summary) + "\n";
  return text + std::string(after_verbs);
}

std::string help_text(const VerbRow& verb) {
  std::string text = "zatt " + std::string(verb.name);
  if (!verb.operands.empty()) text += " " + std::string(verb.operands);
  text += " - " + std::string(verb.summary) + "\n\n" + std::string(text_of(verb.verb).body);
  if (takes(verb, Option::if_absent) && verb.verb != Verb::import) text += conditions;
  return text + std::string(text_of(verb.verb).examples);
}

}  // namespace zatt::cli
