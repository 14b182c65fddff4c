#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same seed must be the same day in every build: compares the simulator's trace hashes.

    tools/check_determinism.py [--first S] [--seeds N] BUILD BUILD...

Each BUILD is a folder with a zatt-sim of its own; `make determinism` makes some. The last line is
`N passed, M failed`: seeds on which all agreed, and on which they did not.
"""

import argparse
import pathlib
import subprocess
import sys


def hashes(build, arguments):
    """Seed to hash, as that build's simulator has them."""
    command = [str(build / "zatt-sim"), "--hashes", *arguments]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return dict(line.split() for line in lines if len(line.split()) == 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("build", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    if len(args.build) < 2:
        parser.error("at least two builds are compared")
    seeds = ["--first", str(args.first), "--seeds", str(args.seeds)]
    found = {build: hashes(build, seeds) for build in args.build}
    failed = 0
    for seed in range(args.first, args.first + args.seeds):
        said = {str(build): by_seed.get(str(seed), "nothing") for build, by_seed in found.items()}
        if len(set(said.values())) == 1 and "nothing" not in said.values():
            continue
        failed += 1
        print(f"seed {seed}: " + ", ".join(f"{build} says {value}" for build, value in said.items()))
    print(f"{args.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
