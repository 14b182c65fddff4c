#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzzes every decoder for its share of some minutes, on all cores.

Each target begins with the seeds in tests/fuzz/corpus/ and with what earlier runs found worth
keeping (BUILD/corpus/). An input that breaks a promise is kept in BUILD/crashes/, and named with
the command that replays it. The last line is `N passed, M failed`, in targets.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "tests/fuzz/corpus"
# Of inputs: longer ones find nothing that shorter ones do not, and take their time.
MOST_BYTES = 8192
MOST_MEGABYTES = 1024


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run_target(name, build, seconds):
    """(one line about it, the crash inputs)."""
    corpus, crashes = build / "corpus" / name, build / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    before = set(crashes.glob(f"{name}-*"))
    link = build / name
    if not link.is_symlink():
        link.symlink_to("zatt-fuzz")
    command = [str(link), f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=10",
               f"-rss_limit_mb={MOST_MEGABYTES}", f"-max_len={MOST_BYTES}", "-use_value_profile=1",
               f"-artifact_prefix={crashes}/{name}-", str(corpus), str(SEEDS / name)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    (build / f"{name}.log").write_text(done.stdout)
    runs = last_number(r"stat::number_of_executed_units:\s*(\d+)", done.stdout)
    speed = last_number(r"stat::average_exec_per_sec:\s*(\d+)", done.stdout)
    edges = last_number(r"\bcov: (\d+)", done.stdout)
    line = f"{name:<16}{runs:>12,} executions{speed:>9,}/s{edges:>7,} edges"
    found = sorted(set(crashes.glob(f"{name}-*")) - before)
    if done.returncode != 0 and not found:  # it did not even begin
        line += f"  ended with {done.returncode}: see {build / name}.log"
    return line, found, done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/fuzz"))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("targets", nargs="*", help="these alone")
    args = parser.parse_args()
    build = args.build.resolve()
    names = args.targets or sorted(path.name for path in SEEDS.iterdir())
    seconds = max(1, int(args.minutes * 60 * args.jobs / len(names)))
    print(f"{len(names)} targets, {seconds} s each, {args.jobs} at a time", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        runs = [pool.submit(run_target, name, build, seconds) for name in names]
        for run in concurrent.futures.as_completed(runs):
            line, found, passed = run.result()
            failed += not passed
            print(line, flush=True)
            for path in found:
                shown = os.path.relpath(path)
                name = path.name.split("-")[0]
                print(f"  {shown}; replay it with: {os.path.relpath(build / name)} {shown}", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
