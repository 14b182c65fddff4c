#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs what is built: unit and scenario tests, the simulator, the tests with real processes.

Every stage says in its last lines how many passed and failed; this adds them up, and its own last
line is `N passed, M failed`. The same two numbers go to BUILD/tally for whoever runs several.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

DOCTEST = re.compile(r"test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")
PLAIN = re.compile(r"^\s*(\d+) passed, (\d+) failed\s*$")


def simulations(sim, soak, seeds):
    """At least so many seeds, and more where there is time: a fast machine finds more."""
    if soak:
        yield "sim", [sim, "--seeds", str(seeds or 30000), "--coverage"]
        yield "sim-standard", [sim, "--standard", "--seeds", str(seeds or 3000)]
        yield "crash-run", [sim, "--crash-run", "--depth", "2"]
        return
    yield "sim", [sim, "--seeds", str(seeds or 1000), "--seconds", "0" if seeds else "75"]
    yield "sim-standard", [sim, "--standard", "--seeds", str(seeds or 50), "--seconds", "0" if seeds else "45"]


def stages(build, soak, seeds):
    root = pathlib.Path(__file__).resolve().parent.parent
    yield "unit", [str(build / "unit-tests")], DOCTEST
    for name, command in simulations(str(build / "zatt-sim"), soak, seeds):
        yield name, command, PLAIN
    cluster = [sys.executable, str(root / "tests/cluster/run.py"), "--build", str(build)]
    yield "cluster", cluster + (["--soak"] if soak else []), PLAIN


def run_stage(name, command, pattern, env):
    """(passed, failed) of one stage, its output shown as it comes."""
    print(f"--- {name}: {' '.join(command)}", flush=True)
    began = time.monotonic()
    counts = None
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=env, text=True, errors="replace") as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        for line in process.stdout:
            found = pattern.search(line)
            if found:
                counts = int(found.group(1)), int(found.group(2))
            if not PLAIN.match(line):
                print(line, end="", flush=True)
    passed, failed = counts or (0, 0)
    if process.returncode != 0 and failed == 0:
        print(f"{name} ended with {process.returncode} without naming a failed test")
        failed = 1
    if process.returncode == 0 and passed == 0:
        print(f"{name} ran nothing")
        failed += 1
    print(f"--- {name}: {passed} of {passed + failed} passed, {time.monotonic() - began:.1f} s", flush=True)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--only", action="append", choices=["unit", "sim", "sim-standard", "crash-run", "cluster"])
    parser.add_argument("--seeds", type=int, help="of the simulator")
    parser.add_argument("--soak", action="store_true", help="the longer forms")
    args = parser.parse_args()
    build = args.build.resolve()
    env = dict(os.environ, ZATT_SOAK="1") if args.soak else dict(os.environ)
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    passed = failed = 0
    for name, command, pattern in stages(build, args.soak, args.seeds):
        if args.only and name not in args.only:
            continue
        stage_passed, stage_failed = run_stage(name, command, pattern, env)
        passed += stage_passed
        failed += stage_failed
    (build / "tally").write_text(f"{passed} {failed}\n")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
