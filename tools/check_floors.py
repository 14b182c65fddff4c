#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads every #include below src/ and holds it against the floors of the house.

A folder includes only floors below its own, never a neighbour; libuv only below loop/, simdjson
only below json/; each .cc includes its own header first, so that every header compiles alone.
What the simulator runs has no clock, thread or chance of its own, and nobody reads the wall clock
but for times that a person is shown (in the log, and above each picture of zatt status --watch) and
for the one that a leader's entries carry, which server/ alone brings to the node.
And no two headers of src/ and tests/ give one namespace two types of the same name: all of them end
in one program, where the linker would keep either. Sizes and words have limits too: ratchets.py.
"""

import pathlib
import re
import sys

import ratchets

FLOORS = [
    ["base"],
    ["raft", "kv", "json", "loop"],
    ["storage", "codec"],
    ["node", "client"],
    ["server", "config"],
    ["capi"],
    ["zattd", "cli"],
]
FLOOR = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}
# A library's headers, and the one room that may know them.
LIBRARIES = [(re.compile(r"uv(\.h|/)"), "libuv", "loop"),
             (re.compile(r"simdjson"), "simdjson", "json")]
# What the simulator runs, and what would make two days of one seed differ.
SIMULATED = {folder for folder in FLOOR if FLOOR[folder] < FLOOR["server"]} - {"loop"}
UNFORESEEN = re.compile(r"(chrono|ctime|time\.h|sys/time\.h|random|sys/random\.h|thread|mutex|future|"
                        r"shared_mutex|condition_variable|base/random_seed\.h)$")
UNFORESEEN_HOME = "src/base/random_seed.cc"
WALL_CLOCK = re.compile(r"system_clock|CLOCK_REALTIME|gettimeofday|\btime\((nullptr|NULL|0|&)")
WALL_CLOCK_HOMES = ("src/zattd/log.cc", "src/cli/status.cc", "src/server/wall_clock.h")
# The command is a user of zatt.h as any other, and shares no more than this with the library.
CLI_MAY = {"base", "json"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1), found.group(2)


def check_include(root, path, folder, quote, name):
    """What is wrong with one #include, or None."""
    for pattern, library, room in LIBRARIES:
        if pattern.match(name) and folder != room:
            return (f"{library} is known to src/{room}/ alone; "
                    f"remedy: put a wrapper into src/{room}/, or bring the need there as a callback")
    if quote == "<":
        return None
    target = name.split("/")[0] if "/" in name else None
    if target == "zatt" or target == folder:
        return None
    if target not in FLOOR:
        return (f'"{name}" is no path from src/; '
                f'remedy: write it as "folder/file.h", the folder one of {", ".join(FLOOR)}')
    if not (root / "src" / name).exists():
        return f'src/{name} does not exist; remedy: mend the path'
    if folder == "cli" and target not in CLI_MAY:
        return (f"cli/ stands on zatt.h, {'/, '.join(sorted(CLI_MAY))}/; "
                f"remedy: what it needs of {target}/ is a matter of zatt.h")
    if FLOOR[target] == FLOOR[folder]:
        return (f"{folder}/ and {target}/ are neighbours on floor {FLOOR[folder]}; remedy: move what "
                f"both need down to a lower floor, or let a floor above bring the two together")
    if FLOOR[target] > FLOOR[folder]:
        return (f"{target}/ (floor {FLOOR[target]}) stands above {folder}/ (floor {FLOOR[folder]}); "
                f"remedy: declare an interface in {folder}/ and let {target}/ implement it")
    return None


def check_determinism(path, where, folder, found):
    """Lines about what a simulation could not repeat."""
    if folder in SIMULATED and where != UNFORESEEN_HOME:
        for number, _, name in found:
            if UNFORESEEN.match(name):
                yield (f"{where}:{number}: {folder}/ is simulated, and <{name}> is not the same twice; "
                       "remedy: take time and chance from node/env.h, or as an argument")
    if where in WALL_CLOCK_HOMES:
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if WALL_CLOCK.search(line):
            yield (f"{where}:{number}: the wall clock goes back and leaps; "
                   "remedy: a monotonic clock, as loop/loop.h has it")


def check_own_header(root, path, found):
    own = path.with_suffix(".h")
    if path.suffix != ".cc" or not own.exists():
        return None
    name = own.relative_to(root / "src").as_posix()
    if found and found[0][1] == '"' and found[0][2] == name:
        return None
    return f'the first #include is not its own header; remedy: put #include "{name}" first'


def check(root):
    """A line for each broken rule."""
    errors = []
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        where = path.relative_to(root).as_posix()
        folder = path.relative_to(root / "src").parts[0]
        if folder not in FLOOR:
            errors.append(f"{where}: src/{folder}/ has no floor; "
                          "remedy: give it one in tools/check_floors.py and in src/README.md")
            continue
        found = list(includes(path))
        wrong = check_own_header(root, path, found)
        if wrong:
            errors.append(f"{where}: {wrong}")
        errors.extend(check_determinism(path, where, folder, found))
        for number, quote, name in found:
            wrong = check_include(root, path, folder, quote, name)
            if wrong:
                errors.append(f"{where}:{number}: {wrong}")
    return errors


def check_names(root):
    """A line for each type that two headers define in the same namespace."""
    errors = []
    homes = {}
    for path in sorted([*(root / "src").rglob("*.h"), *(root / "tests").rglob("*.h")]):
        space = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            opened = re.match(r"namespace ([\w:]+) \{", line)
            defined = re.match(r"(?:class|struct|enum class) (\w+)\b(?!::)[^;]*\{", line)
            if opened:
                space = opened.group(1)
            elif defined:
                where = path.relative_to(root).as_posix()
                name = f"{space}::{defined.group(1)}"
                if homes.setdefault(name, where) != where:
                    errors.append(f"{where}: {name} is in {homes[name]} too; "
                                  f"remedy: a namespace of its own, zatt::{path.parent.name}::test")
    return errors


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    errors = check(root) + check_names(root) + ratchets.check(root)
    for line in errors:
        print(line)
    print(f"floors: {len(errors)} broken" if errors else "floors: all kept")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
