#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many instructions one put and one get cost a node, counted by valgrind.

    tools/instructions.py [--zattd build/zattd] [--count 2000]

One node, alone, runs under callgrind in a temporary directory and answers a fixed workload over one
connection, one request at a time. It runs three times: a put of each of a few keys; COUNT puts more;
COUNT gets more. The differences, over COUNT, are the two figures, so that starting and stopping do
not count. What the kernel does is not counted; timers, and with puts the disk, blur the last digits.
"""

import argparse
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

HOST = "127.0.0.1"
KEYS = 50
PATIENCE_S = 60


def free_port():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return taken.getsockname()[1]


def connect(process, port):
    """To the node, once it listens."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            return socket.create_connection((HOST, port), timeout=PATIENCE_S)
        except OSError:
            time.sleep(0.1)
    sys.exit("zattd does not listen")


def requests(puts, gets):
    for n in range(puts):
        yield {"op": "set", "key": f"key-{n % KEYS}", "value": {"n": n, "text": "x" * 40}}
    for n in range(gets):
        yield {"op": "get", "key": f"key-{n % KEYS}"}


def count(zattd, puts, gets):
    """Instructions from the node's start to its stop."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="zatt-instructions-") as name:
        folder = pathlib.Path(name)
        (folder / "zatt.conf").write_text(json.dumps({"cluster": {"0": [HOST, port]}}))
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                ["valgrind", "--tool=callgrind", "--callgrind-out-file=counts", str(zattd),
                 "-c", "zatt.conf", "--id", "0"],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            with connect(process, port) as connection, connection.makefile("rwb") as stream:
                for request in requests(puts, gets):
                    stream.write(json.dumps(request).encode() + b"\n")
                    stream.flush()
                    reply = json.loads(stream.readline() or "null")
                    if reply is None or not reply["ok"]:
                        sys.exit(f"{request} was answered with {reply}")
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
        found = re.search(r"^(?:totals|summary): (\d+)", (folder / "counts").read_text(), re.M)
        if not found:
            sys.exit((folder / "log").read_text(errors="replace"))
        return int(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zattd", type=pathlib.Path, default=pathlib.Path("build/zattd"))
    parser.add_argument("--count", type=int, default=2000, help="puts, and gets")
    args = parser.parse_args()
    zattd = args.zattd.resolve()
    start = count(zattd, KEYS, 0)
    puts = count(zattd, KEYS + args.count, 0) - start
    gets = count(zattd, KEYS, args.count) - start
    print(f"a put {puts / args.count:,.0f} instructions, a get {gets / args.count:,.0f}")


if __name__ == "__main__":
    main()
