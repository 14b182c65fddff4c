#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Holds what tells of errors and cannot include src/codec/error_codes.def against that list.

include/zatt/zatt.h has a number of its own for each error; docs/PROTOCOL.md names all that a server
may answer, and which of them are only reserved; the Python package has a class for each of the
others, which is a TryAgain where the list says ZATT_KIND_RETRY.
"""

import importlib.util
import pathlib
import re
import sys

ROW = re.compile(r"^ZATT_(SERVER|CLIENT|LIBRARY)_ERROR\((\w+), (ZATT_E\w+), ZATT_KIND_(\w+),", re.M)
NUMBER = re.compile(r"^\s+(ZATT_E\w+) = (-\d+)\b", re.M)
TABLE = re.compile(r"^\| `(\w+)` \|", re.M)


def differences(what, found, wanted):
    """A line for each name that only one of the two has."""
    for name in sorted(set(wanted) - set(found)):
        yield f"{what} has no {name}; remedy: add it, or take it from src/codec/error_codes.def"
    for name in sorted(set(found) - set(wanted)):
        yield f"{what} has {name}; remedy: add it to src/codec/error_codes.def"


def check_header(text, constants):
    numbers = NUMBER.findall(text)
    yield from differences("include/zatt/zatt.h", [name for name, _ in numbers], constants)
    seen = {}
    for name, number in numbers:
        if seen.setdefault(number, name) != name:
            yield f"include/zatt/zatt.h: {name} and {seen[number]} are both {number}"


def check_protocol(text, codes):
    """Lines on what is wrong, and the codes that are in use."""
    table = text[text.index("## Errors"):text.index("## Not served yet")].split("| --- |")[-1]
    reserved = text[text.index("Their error codes"):].split("reserved")[0]
    served = TABLE.findall(table)
    later = re.findall(r"`(\w+)`", reserved)
    return list(differences("docs/PROTOCOL.md", served + later, codes)), served


def check_python(path, served, kinds):
    spec = importlib.util.spec_from_file_location("errors", path)
    errors = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(errors)
    classes = {"outcome_unknown": errors.OutcomeUnknown, **errors.BY_CODE}
    yield from differences("tools/python/zatt/client/errors.py", classes, served)
    for code in sorted(set(classes) & set(served)):
        may_try_again = issubclass(classes[code], errors.TryAgain)
        if may_try_again != (kinds[code] == "RETRY"):
            yield (f"tools/python/zatt/client/errors.py: {classes[code].__name__} is "
                   f"{'a' if may_try_again else 'not a'} TryAgain, and {code} is ZATT_KIND_{kinds[code]}")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    rows = ROW.findall((root / "src/codec/error_codes.def").read_text(encoding="utf-8"))
    kinds = {name: kind for origin, name, _, kind in rows if origin == "SERVER"}
    header = (root / "include/zatt/zatt.h").read_text(encoding="utf-8")
    wrong = list(check_header(header, [constant for _, _, constant, _ in rows]))
    protocol = (root / "docs/PROTOCOL.md").read_text(encoding="utf-8")
    of_protocol, served = check_protocol(protocol, kinds)
    wrong += of_protocol
    wrong += check_python(root / "tools/python/zatt/client/errors.py", served, kinds)
    for line in wrong:
        print(line)
    print(f"error codes: {len(wrong)} wrong" if wrong else f"error codes: {len(rows)}, the same everywhere")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
