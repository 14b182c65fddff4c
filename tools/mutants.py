#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Breaks one rule of zatt at a time, in a copy, and shows which test notices, and how soon.

tests/mutants/README.md says what a mutant is and what counts as a kill. One line a mutant; the last
line is `N passed, M failed`, and the exit status is 1 where a mutant survives, is stale (its text is
no longer in the source), does not build or was never reached.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import queue
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MUTANTS = ROOT / "tests/mutants"
PROGRAMS = ["build/unit-tests", "build/zatt-sim"]
# Rooms whose tests wait for real time or real processes: asked only about mutants of their own floor,
# so that a busy host is never taken for a kill.
REAL_TIME_ROOMS = ["loop", "server", "capi", "cli", "zattd"]
BUILD_LIMIT_S = 3600
UNIT_LIMIT_S = 300
SIM_LIMIT_S = 60  # and two more a seed
DETERMINISM_SEEDS = 5

SEED = re.compile(r"^seed (\d+): (.*)$")
HASH = re.compile(r"^\d+ [0-9a-f]{16}$")
ASSERTION = re.compile(r"a bug of ours: (`.*` does not hold at \S+?:\d+)")
TEST_FILE = re.compile(r"^tests/(\S+\.cc):\d+:")
TEST_CASE = re.compile(r"^\s*TEST CASE:\s+(.*)$")
EXPECTATION = re.compile(r"^tests/\S+:\d+: (?:FATAL )?ERROR: (.*?)(?: is NOT correct!)?$")
SCENARIO = re.compile(r"(\w+\.txt): - expected")

children = set()


class Problem(Exception):
    """What makes a mutant say nothing: stale, or it does not build."""


@dataclasses.dataclass
class Edit:
    path: str
    find: str
    replace: str


@dataclasses.dataclass
class Mutant:
    name: str
    rule: str
    seeds: int
    by: list
    edits: list


@dataclasses.dataclass
class Verdict:
    """What one kind of test had to say."""
    kill: str = ""  # names an invariant or an expectation; empty: none
    note: str = ""  # what it said instead: nothing in so many seeds, a timeout
    seed: int = 0    # that failed first
    seeds: int = 0   # how many it took until then
    failed: int = 0  # how many failed
    reached: bool = False
    seconds: float = 0.0


@dataclasses.dataclass
class Report:
    mutant: Mutant
    verdicts: dict = dataclasses.field(default_factory=dict)
    problem: str = ""
    seconds: float = 0.0

    def kills(self):
        return {kind: verdict for kind, verdict in self.verdicts.items() if verdict.kill}

    def reached(self):
        return [kind for kind, verdict in self.verdicts.items() if verdict.reached]

    def state(self):
        if self.problem:
            return "FAILED"
        if not self.kills():
            return "SURVIVED" if self.reached() else "UNREACHED"
        # A kill by what the mutant did not do would be another bug's.
        return "killed" if any(v.reached for v in self.kills().values()) else "UNREACHED"


# --- what a mutant's file says ---

def parse(path):
    head, edits, source = {}, [], None
    rule, part, texts = [], None, {"find": [], "replace": []}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("--- "):
            part = line[4:].strip()
            if part == "end":
                edits.append(Edit(source, *("\n".join(texts[p]) for p in ("find", "replace"))))
                part, texts = None, {"find": [], "replace": []}
            elif part not in texts:
                raise SystemExit(f"{path.name}: unknown part `{line}`")
        elif part:
            texts[part].append(line)
        elif line.startswith("file:"):
            source = line[5:].strip()
        elif found := re.match(r"(seeds|by):\s*(.*)$", line):
            head[found.group(1)] = found.group(2)
        elif line.strip():
            rule.append(line.strip())
    by = head.get("by", "unit, simulator").replace(",", " ").split()
    if part or not edits or not rule or not set(by) <= {"unit", "simulator", "determinism"}:
        raise SystemExit(f"{path.name}: not a mutant; see {MUTANTS.name}/README.md")
    return Mutant(path.stem, " ".join(rule), int(head.get("seeds", 0)), by, edits)


def any_stale(mutants):
    stale = False
    for mutant in mutants:
        texts = {}
        try:
            for edit in mutant.edits:
                text = texts.get(edit.path) or (ROOT / edit.path).read_text(encoding="utf-8")
                texts[edit.path] = changed(text, edit)
        except (OSError, Problem) as problem:
            print(f"{mutant.name}: {problem}", file=sys.stderr)
            stale = True
    return stale


def changed(text, edit):
    count = text.count(edit.find)
    if count != 1:
        raise Problem(f"stale: its text is in {edit.path} {count} times, not once")
    return text.replace(edit.find, edit.replace)


# --- a copy of the tree, of one worker ---

class Tree:
    def __init__(self, folder, build):
        self.root = folder
        skipped = shutil.ignore_patterns("build", ".git", "__pycache__")
        shutil.copytree(ROOT, folder, ignore=skipped, symlinks=True)
        shutil.copytree(build / "obj", folder / "build/obj", symlinks=True)  # with their times
        self.mark = folder / "reached"

    def make(self):
        """Builds the tests, or says why not. Only what has changed is compiled."""
        command = shlex.split(os.environ.get("MAKE", "make"))
        with self.run(command + ["JOBS=1", "DEPS=no"] + PROGRAMS, BUILD_LIMIT_S) as process:
            lines = [line.strip() for line in process.stdout]
            process.wait()
        if process.returncode != 0:
            errors = [line for line in lines if "error:" in line] or lines[-1:] or ["?"]
            raise Problem("does not build: " + errors[0])

    @contextlib.contextmanager
    def mutated(self, mutant):
        """The tests with the mutant in them; source and objects are put back behind it."""
        paths = {edit.path for edit in mutant.edits}
        kept = []
        for path in sorted(paths):
            if not path.endswith(".cc"):
                raise Problem(f"{path}: only a .cc can be changed")
            if not (self.root / path).exists():
                raise Problem(f"stale: there is no {path}")
            obj = self.root / "build/obj" / path.removesuffix(".cc")
            if not obj.with_suffix(".o").exists():
                obj = obj.parent  # the files of its folder are compiled as one
            kept += [self.root / path, obj.with_suffix(".o"), obj.with_suffix(".d")]
        for file in kept:
            shutil.copy2(file, str(file) + ".kept")
        try:
            for path in paths:
                text = (self.root / path).read_text(encoding="utf-8")
                for edit in mutant.edits:
                    if edit.path == path:
                        text = changed(text, edit)
                (self.root / path).write_text('#include "tests/mutants/reached.h"\n' + text,
                                              encoding="utf-8")
            self.make()
            yield
        finally:
            for file in kept:
                os.replace(str(file) + ".kept", file)

    @contextlib.contextmanager
    def run(self, command, limit_s):
        """What a command prints, until it ends, or its time is up (which sets .timed_out)."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        env["ZATT_MUTANT_REACHED"] = str(self.mark)
        with subprocess.Popen(command, cwd=self.root, env=env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                              start_new_session=True) as process:
            process.timed_out = False

            def stop():
                process.timed_out = True
                end(process)

            timer = threading.Timer(limit_s, stop)
            timer.start()
            children.add(process)
            try:
                yield process
            finally:
                timer.cancel()
                end(process)
                children.discard(process)

    def take_mark(self):
        reached = self.mark.exists()
        self.mark.unlink(missing_ok=True)
        return reached


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the simulator has children


# --- the tests ---

def judge_unit(lines):
    """The first failed expectation in what doctest prints, or nothing."""
    file, case, assertion, scenario, failed = "", "", "", "", ""
    for line in lines:
        line = line.rstrip()
        if found := TEST_FILE.match(line):
            file = found.group(1)
        if found := TEST_CASE.match(line):
            case = found.group(1)
        if found := ASSERTION.search(line):
            assertion = found.group(1)
        if found := SCENARIO.search(line):
            scenario = found.group(1)
        if (found := EXPECTATION.match(line)) and not failed:
            failed = found.group(1)
    if not failed:
        return ""
    if "CRASHED" in failed and not assertion:
        return ""  # names nothing
    what = assertion or scenario or failed
    return f'{file} "{case}": {what}'


def run_unit(tree, mutant):
    """The tests of the mutant's own room first, then those of the floors that could see it."""
    rooms = {pathlib.PurePath(edit.path).parts[1] for edit in mutant.edits}
    own = ",".join(f"*tests/{room}/*" for room in sorted(rooms))
    real_time = [f"*tests/{room}/*" for room in REAL_TIME_ROOMS if room not in rooms]
    for filters in ([f"-sf={own}"], ["-sf=*tests/scenario/*", f"-sfe={own}"],
                    ["-sfe=" + ",".join([own, "*tests/scenario/*"] + real_time)]):
        command = [str(tree.root / "build/unit-tests"), "--abort-after=1", "-nc"] + filters
        with tree.run(command, UNIT_LIMIT_S) as process:
            kill = judge_unit(process.stdout)
            process.wait()
            if kill:
                return Verdict(kill=kill)
            if process.timed_out:
                return Verdict(note=f"timeout after {UNIT_LIMIT_S} s")
            if process.returncode != 0:
                return Verdict(note=f"ended with {process.returncode} and named nothing")
    return Verdict(note="all passed")


def run_simulator(tree, mutant, first, every_seed):
    """Seeds from the first on, one after the other, until one fails, or all of them."""
    command = [str(tree.root / "build/zatt-sim"), "--first", str(first), "--seeds", str(mutant.seeds),
               "--jobs", "1"]
    verdict = Verdict(note=f"lives after {mutant.seeds} seeds")
    assertion = ""
    with tree.run(command, SIM_LIMIT_S + 2 * mutant.seeds) as process:
        for line in process.stdout:
            if found := ASSERTION.search(line):
                assertion = found.group(1)
            if not (found := SEED.match(line.rstrip())):
                continue
            seed, what = int(found.group(1)), found.group(2).rsplit(" (", 1)[0]
            if what.endswith("aborted"):
                what = assertion and what.removesuffix("aborted") + assertion
            if not what:
                verdict.note = f"seed {seed} ended and named nothing"
                continue
            verdict.failed += 1
            if verdict.failed == 1:
                verdict.kill, verdict.seed, verdict.seeds = what, seed, seed - first + 1
            if not every_seed:
                return verdict
        process.wait()
        if process.timed_out:
            verdict.note = "timeout"
        elif process.returncode != 0 and verdict.note.startswith("lives"):
            verdict.note = f"ended with {process.returncode} and named nothing"
    return verdict


def run_determinism(tree, first):
    """The same seeds in two processes: the same days?"""
    command = [str(tree.root / "build/zatt-sim"), "--first", str(first), "--seeds",
               str(DETERMINISM_SEEDS), "--jobs", "1", "--hashes"]
    runs = []
    for _ in range(2):
        with tree.run(command, SIM_LIMIT_S) as process:
            runs.append([line.strip() for line in process.stdout if HASH.match(line)])
            process.wait()
    if not runs[0]:
        return Verdict(note="no hashes were printed")
    for one, other in zip(*runs):
        if one != other:
            seed = int(one.split()[0])
            return Verdict(kill=f"two runs of one seed differ: hashes {one} and {other}", seed=seed,
                           seeds=seed - first + 1)
    return Verdict(note=f"{DETERMINISM_SEEDS} seeds twice, the same hashes")


def judge(tree, mutant, first, every_seed):
    report = Report(mutant)
    began = time.monotonic()
    try:
        with tree.mutated(mutant):
            tree.take_mark()
            for kind, run in (("unit", lambda: run_unit(tree, mutant)),
                              ("simulator", lambda: run_simulator(tree, mutant, first, every_seed)),
                              ("determinism", lambda: run_determinism(tree, first))):
                if kind not in mutant.by:
                    continue
                start = time.monotonic()
                verdict = report.verdicts[kind] = run()
                verdict.seconds = time.monotonic() - start
                verdict.reached = tree.take_mark()
    except Problem as problem:
        report.problem = str(problem)
    report.seconds = time.monotonic() - began
    return report


# --- the unmutated tree ---

def check_unmutated(tree, seeds, first, jobs):
    """Must pass ten times the largest budget: a kill by what fails anyhow would prove nothing."""
    print(f"unmutated: unit tests and {seeds} seeds")
    began = time.monotonic()
    unit = run_unit(tree, Mutant("unmutated", "", 0, [], [Edit("src/server/x.cc", "", "")]))
    command = [str(tree.root / "build/zatt-sim"), "--first", str(first), "--seeds", str(seeds),
               "--jobs", str(jobs)]
    with tree.run(command, SIM_LIMIT_S + 2 * seeds) as process:
        failed = [line.rstrip() for line in process.stdout if SEED.match(line)]
        process.wait()
    good = unit.note == "all passed" and process.returncode == 0
    for line in [unit.kill or unit.note] + failed[:5] if not good else []:
        print(f"  {line}")
    print(f"unmutated: {'all held' if good else 'FAILED'}, {time.monotonic() - began:.0f} s")
    return good


# --- telling it ---

def shortened(text, most=150):
    return text if len(text) <= most else text[: most - 3] + "..."


def tell(report, width, every_seed):
    reached = "+".join(report.reached()) or "no"
    print(f"{report.state():9} {report.mutant.name:{width}} {report.seconds:5.1f} s  "
          + (report.problem or f"reached: {reached}"))
    for kind, verdict in report.verdicts.items():
        when = f"seed {verdict.seed}: " if verdict.seed else ""
        if verdict.failed and every_seed:
            when = f"{verdict.failed} of {report.mutant.seeds} seeds, {when}"
        what = shortened(verdict.kill or "(" + verdict.note + ")")
        print(f"            {kind} {verdict.seconds:.1f} s: {when}{what}")
    if report.state() in ("SURVIVED", "UNREACHED"):
        print(f"            {report.mutant.rule}")


def tell_all(reports):
    """Counts (passed, failed), and what the simulator alone would have said."""
    asked = [r for r in reports if "simulator" in r.verdicts]
    seen = sorted(r.verdicts["simulator"].seeds for r in asked if r.verdicts["simulator"].kill)
    if asked:
        median = f", median seed {statistics.median(seen):g}" if seen else ""
        print(f"the simulator alone: {len(seen)} of {len(asked)} inside their budgets{median}")
        alive = [r.mutant.name for r in asked if not r.verdicts["simulator"].kill]
        if alive:
            print("  it let live: " + " ".join(sorted(alive)))
    killed = sum(r.state() == "killed" for r in reports)
    print(f"{killed} killed, {len(reports) - killed} survived")
    return killed, len(reports) - killed


def chosen(args):
    mutants = [parse(path) for path in sorted(MUTANTS.glob("*.mutant"))]
    names = {mutant.name for mutant in mutants}
    wanted = [name.removesuffix(".mutant").rsplit("/", 1)[-1] for name in args.names]
    if unknown := [name for name in wanted if name not in names]:
        raise SystemExit(f"no such mutant: {' '.join(unknown)} (--list names them)")
    mutants = [mutant for mutant in mutants if not wanted or mutant.name in wanted]
    for mutant in mutants:
        if args.seeds is not None:
            mutant.seeds = args.seeds
    return mutants


def run_all(args, mutants, folder):
    trees = queue.SimpleQueue()
    jobs = max(1, min(args.jobs, len(mutants)))
    copies = [Tree(folder / f"copy{i}", args.build.resolve()) for i in range(jobs)]
    good = None  # not asked
    for tree in copies:
        trees.put(tree)
    if not args.skip_unmutated:
        copies[0].make()
        seeds = 10 * max(mutant.seeds for mutant in mutants)
        good = check_unmutated(copies[0], max(1, seeds), args.first, args.jobs)

    def task(mutant):
        tree = trees.get()
        try:
            return judge(tree, mutant, args.first, args.every_seed)
        finally:
            trees.put(tree)

    reports = []
    width = max(len(mutant.name) for mutant in mutants)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(task, mutant) for mutant in mutants]):
            reports.append(done.result())
            tell(reports[-1], width, args.every_seed)
    passed, failed = tell_all(reports)
    return passed + (good is True), failed + (good is False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--list", action="store_true", help="names them, with the rules they break; fails where one is stale")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build",
                        help="where the unmutated tree was built")
    parser.add_argument("--seeds", type=int, help="for each, instead of its own budget")
    parser.add_argument("--every-seed", action="store_true",
                        help="run each budget whole, and say how many seeds notice")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at once")
    parser.add_argument("--skip-unmutated", action="store_true")
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    mutants = chosen(args)
    if args.list:
        for mutant in mutants:
            print(f"{mutant.name}: {mutant.rule}")
        return 1 if any_stale(mutants) else 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zatt-mutants-") as folder:

        def give_up(number, _):
            for process in list(children):
                end(process)
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(128 + number)

        signal.signal(signal.SIGINT, give_up)
        signal.signal(signal.SIGTERM, give_up)
        passed, failed = run_all(args, mutants, pathlib.Path(folder))
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
