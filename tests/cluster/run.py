#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs the tests with real processes: all, or those whose name contains a word given.

Each in a process of its own, two at a time: they mostly wait. The last line is `N passed, M failed`.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class Progress(unittest.TestResult):
    """A line a test, as it ends; a failure's reason right below it."""

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.bad = False
        self.failed = getattr(self, "failed", 0)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.bad = True
        print(self.failures[-1][1], flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self.bad = True
        print(self.errors[-1][1], flush=True)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.bad = True
            print(f"{subtest}: {err[1]}", flush=True)

    def stopTest(self, test):
        super().stopTest(test)
        self.failed += self.bad
        skipped = self.skipped and self.skipped[-1][0] is test
        word = "FAIL" if self.bad else "skip" if skipped else "ok  "
        why = f" ({self.skipped[-1][1]})" if skipped else ""
        print(f"{word} {test.id()} {time.monotonic() - self.began:.1f} s{why}", flush=True)


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


class Apart:
    """Runs tests in processes of their own, and shows what each said when it is over."""

    def __init__(self, args):
        self.args = args
        self.slots = list(range(args.jobs))
        self.running = set()
        self.lock = threading.Lock()
        self.passed = self.failed = 0

    def run(self, tests):
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            futures = [pool.submit(self.run_one, test.id()) for test in tests]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                for future in futures:
                    future.cancel()
                with self.lock:
                    for process in self.running:
                        process.terminate()
                raise

    def run_one(self, name):
        command = [sys.executable, __file__, "--build", str(self.args.build), "--exactly", name]
        with self.lock:
            slot = self.slots.pop()
            # The ports that this process takes from are its own.
            env = dict(os.environ, ZATT_TEST_SLOT=f"{slot}/{self.args.jobs}")
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, errors="replace", env=env)
            self.running.add(process)
        said, _ = process.communicate()
        with self.lock:
            self.running.discard(process)
            self.slots.append(slot)
            self.count(name, said, process.returncode)

    def count(self, name, said, code):
        tally = re.search(r"^(\d+) passed, (\d+) failed\n\Z", said, re.M)
        print(said[:tally.start()] if tally else said, end="", flush=True)
        passed, failed = (int(tally.group(1)), int(tally.group(2))) if tally else (0, 0)
        if code != 0 and failed == 0:
            print(f"FAIL {name} ended with {code}", flush=True)
            failed = 1
        self.passed += passed
        self.failed += failed


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupt)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="run only tests whose name contains one of these")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent / "build")
    parser.add_argument("--soak", action="store_true", help="the longer forms")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--exactly", metavar="NAME", help="this one test, here")
    args = parser.parse_args()
    os.environ["ZATT_BUILD"] = str(args.build.resolve())
    if args.soak:
        os.environ["ZATT_SOAK"] = "1"
    sys.path.insert(0, str(HERE))
    sys.dont_write_bytecode = True

    import harness  # pylint: disable=import-outside-toplevel
    harness.raise_open_files_limit()
    tests = [test for test in flatten(unittest.defaultTestLoader.discover(str(HERE), "*_test.py"))
             if test.id() == args.exactly or not args.exactly
             and (not args.words or any(word in test.id() for word in args.words))]
    if not args.exactly:
        apart = Apart(args)
        apart.run(tests)
        print(f"{apart.passed} passed, {apart.failed} failed", flush=True)
        return 1 if apart.failed else 0
    result = Progress()
    for test in tests:
        test(result)
    failed = getattr(result, "failed", 0)
    passed = result.testsRun - failed - len(result.skipped)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
