# SPDX-License-Identifier: AGPL-3.0-or-later
"""Limits that keep the code readable: how much a class holds, how long a file and a function are,
and which words no identifier uses. tools/check_floors.py prints what this finds.

Files, functions and words are counted in src/ and tests/, members in src/ alone: a scenario's settings
are as many as they are. A test case may be a long table.

A light reading of C++, enough for code that clang-format has laid out: comments and literals are
blanked, then braces are matched and the text before each says what it opens.
"""

import re

MAX_MEMBERS = 20
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 50

# What breaks a limit today: (rule, file, name) and its number, which only falls: whoever lowers one
# writes the new one here, and takes its line out once the limit is kept.
EXCEPTIONS = {}

# Words that only we would understand, and what the field says instead.
BANNED = {
    "sight": "Coverage::hit", "deed": "action", "deeds": "actions", "dice": "faults", "life": "segment",
    "lives": "segments", "spares": "segment_pool", "vouch": "proven_durable", "vouched": "proven_durable",
    "tidy": "remove_obsolete", "spoiled": "corrupt", "headless": "bad_header",
    "begin_again": "begin_segment", "founding": "bootstrap", "founder": "bootstrap leader",
    "unfound": "abandon_bootstrap", "acquaintance": "peer_info", "standing": "bootstrap_state",
    "hand_over": "transfer_leadership, deliver", "commit_hint": "leader_commit", "takes_turn": "inject",
    "heard_us": "last_contact_us", "hasten": "shorten_deadline", "farewell": "lingering_close",
    "who_calls": "detect_protocol", "greeting": "handshake, magic", "door": "acceptor, listener",
    "attend": "process_ready", "let_go": "remove", "sweep": "reap", "pump": "flush, reader",
    "hop_to": "redirect_to", "look_elsewhere": "switch_server", "leaderless": "no_leader",
    "stranger": "unknown", "complain": "report_error", "complaint": "error", "complaints": "errors",
    "die_of": "exit_by_signal", "survey": "cluster_status", "trial": "run",
    "campaign": "election, or runner", "speakers": "scripted_clients", "judge": "validate, checker",
}


class Finding:
    """One thing that is beyond a limit: where it is, its number, and what to do about it."""

    def __init__(self, rule, where, line, name, number, text):
        self.key = (rule, where, name)
        self.line, self.number, self.text = line, number, text

    def __str__(self):
        return f"{self.key[1]}:{self.line}: {self.text}"


# --- reading C++ ------------------------------------------------------------------------------------

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
                   r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.S | re.M)


def blank(text):
    """The same lines and columns without comments, literals and preprocessor lines."""
    return NOISE.sub(lambda noise: re.sub(r"[^\n]", " ", noise.group()), text)


def closing_braces(code):
    """For each brace that opens, where it closes."""
    pairs, opened = {}, []
    for match in re.finditer(r"[{}]", code):
        if match.group() == "{":
            opened.append(match.start())
        elif opened:
            pairs[opened.pop()] = match.start()
    return pairs


def without_angles(text):
    """`text` without what stands between < and >, from the inside out."""
    while True:
        shorter = re.sub(r"<[^<>]*>", " ", text)
        if shorter == text:
            return text
        text = shorter


CLASS = re.compile(r"^\s*(?:class|struct|union)\s+(?:\[\[\w+\]\]\s*)?((?:\w+::)*\w+)?[^()=]*$")
NO_MEMBER = re.compile(r"^\s*(?:using|typedef|friend|static|static_assert|template|enum|class|struct|union)\b")
ACCESS = re.compile(r"\b(?:public|private|protected)\s*:(?!:)")
POINTER = re.compile(r"\(\s*\*\s*\w+\s*\)\s*\(")


def count_members(statement):
    """How many data members one statement of a class declares."""
    plain = without_angles(ACCESS.sub(" ", statement)).strip()
    if not plain or NO_MEMBER.match(plain) or "operator" in plain:
        return 0
    plain = re.sub(r"alignas\([^)]*\)", "", plain)
    declared = plain.split("=")[0]
    if "(" in declared:
        return 1 if POINTER.search(declared) else 0
    return 1 + declared.count(",")


class Scope:
    def __init__(self, kind, name, begin, end):
        self.kind, self.name, self.begin, self.end = kind, name, begin, end
        self.members = 0


def scopes(code):
    """All classes and functions of blanked code, as Scopes; `begin` is where the declaration begins."""
    pairs = closing_braces(code)
    found = []
    read_scope(code, pairs, Scope("namespace", "", 0, len(code)), 0, found)
    return found


def head_kind(head, code, end):
    """What the text before a brace says that it opens; None for an initializer."""
    plain = ACCESS.sub(" ", re.sub(r"^\s*template\s*", "", without_angles(ACCESS.sub(" ", head))))
    if re.match(r"^\s*(?:inline\s+)?namespace\b|^\s*extern\b\s*$", plain):
        return "namespace", ""
    named = CLASS.match(plain)
    if named:
        return "class", named.group(1) or "(unnamed)"
    after = code[end + 1:end + 200].lstrip()[:1]
    if re.match(r"^\s*enum\b", plain) or "(" not in plain or after in (";", ",", "{", ")"):
        return None, ""
    called = re.search(r"([\w:~]+|operator\W+)\s*\(", plain)
    return "function", called.group(1) if called else "(unnamed)"


def read_scope(code, pairs, scope, at, found):
    """Adds what `scope` holds, itself included, from just behind its opening brace."""
    if scope.kind == "class":
        found.append(scope)
    begin = at
    text = ""  # of the statement, without what its braces hold
    while at < scope.end:
        char = code[at]
        if char == "{" and at in pairs:
            end = pairs[at]
            kind, name = head_kind(text, code, end)
            if kind:
                start = begin + len(code[begin:at]) - len(code[begin:at].lstrip())
                inner = Scope(kind, f"{scope.name}::{name}".strip(":"), start, end)
                if kind == "function":
                    found.append(inner)
                else:
                    read_scope(code, pairs, inner, at + 1, found)
                text, begin = ("struct", begin) if kind == "class" else ("", end + 1)
            at = end + 1
            continue
        if char == ";":
            if scope.kind == "class":
                scope.members += count_members(text)
            text, begin = "", at + 1
        else:
            text += char
        at += 1


# --- the rules --------------------------------------------------------------------------------------

def words_of(identifier):
    """("hop", "to") of HopTo, hop_to_ and HOP_TO."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", identifier)
    return [word for word in spaced.lower().split("_") if word]


def banned_in(identifier):
    words = f"_{'_'.join(words_of(identifier))}_"
    return [word for word in BANNED if f"_{word}_" in words]


def check_words(where, code):
    """What to say, once for each identifier and banned word."""
    told = set()
    for number, line in enumerate(code.splitlines(), 1):
        for identifier in re.findall(r"[A-Za-z_]\w*", line):
            for word in banned_in(identifier):
                if (identifier, word) not in told:
                    told.add((identifier, word))
                    yield (f'{where}:{number}: "{identifier}": "{word}" is a word of ours alone; '
                           f"remedy: the field's: {BANNED[word]}")


def check_sizes(where, text, code):
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        yield Finding("file", where, 1, "", lines, f"{lines} lines, and {MAX_FILE_LINES} is the most; "
                      "remedy: one idea a file, move the second one out")
    for scope in scopes(code):
        line = code.count("\n", 0, scope.begin) + 1
        length = code.count("\n", scope.begin, scope.end) + 1
        if scope.kind == "class" and scope.members > MAX_MEMBERS and where.startswith("src/"):
            yield Finding("members", where, line, scope.name, scope.members,
                          f"{scope.name} has {scope.members} data members, and {MAX_MEMBERS} is the most; "
                          "remedy: give a part of it a state and a test of its own")
        if scope.kind == "function" and length > MAX_FUNCTION_LINES and scope.name != "TEST_CASE":
            yield Finding("function", where, line, scope.name, length,
                          f"{scope.name} is {length} lines long, and {MAX_FUNCTION_LINES} is the most; "
                          "remedy: name its steps, and make each a function")


def check_exceptions(found, allowed):
    """`found` and `allowed`: what is, and may be, beyond a limit. Yields what is no longer so."""
    for key, number in allowed.items():
        name = " ".join(key).strip()
        if key not in found:
            yield f"EXCEPTIONS: {name} keeps the limit now; remedy: take its line out of tools/ratchets.py"
        elif found[key] < number:
            yield (f"EXCEPTIONS: {name} has fallen to {found[key]}; "
                   "remedy: write that number into tools/ratchets.py")


def sources(root):
    for folder in ("src", "tests"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc", ".c", ".cpp"):
                yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def check(root, exceptions=None):
    """A line for each broken limit, and for each exception that is not needed as it stands."""
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    sizes, errors = {}, []
    for where, text in sources(root):
        code = blank(text)
        sizes.update({finding.key: finding for finding in check_sizes(where, text, code)})
        errors += check_words(where, code)
    errors += [str(finding) for key, finding in sizes.items() if finding.number > exceptions.get(key, 0)]
    errors += check_exceptions({key: finding.number for key, finding in sizes.items()}, exceptions)
    return errors
