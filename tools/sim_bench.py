#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How fast the simulator is on this machine, beside what is wanted of it.

    tools/sim_bench.py [--build build] [--seconds 20]

Every row is a run of its own, invariants on. Wall time on a shared machine says little: the table
is for people, and no test rests on it.
"""

import argparse
import pathlib
import re
import subprocess
import sys

RATE = re.compile(r"([\d.]+) a minute, ([\d.]+) simulated seconds a second and core")
IMAGES = re.compile(r"([\d.]+) images a minute")


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def row(what, value, goal, floor):
    verdict = "goal" if value >= goal else "floor" if value >= floor else "below"
    print(f"| {what} | {value:,.0f} | {goal:,} | {floor:,} | {verdict} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--seconds", type=int, default=20, help="of each run")
    args = parser.parse_args()
    sim = str(args.build / "zatt-sim")
    timed = [sim, "--seeds", "1", "--seconds", str(args.seconds)]
    print("| | measured | goal | floor | |")
    print("| --- | --- | --- | --- | --- |")
    five = run([*timed, "--standard", "--nodes", "5", "--rate", "200", "--within"])
    row("simulated seconds a second and core, 5 nodes, 200 requests a second",
        float(RATE.search(five)[2]), 300, 100)
    row("brief seeds a minute, all cores", float(RATE.search(run(timed))[1]), 1000, 400)
    row("standard seeds a minute, all cores",
        float(RATE.search(run([*timed, "--standard"]))[1]), 150, 60)
    row("crash images a minute, all cores", float(IMAGES.search(run([sim, "--crash-run"]))[1]), 50000, 10000)


if __name__ == "__main__":
    main()
