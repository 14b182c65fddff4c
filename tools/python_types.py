#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""mypy --strict over the Python package, its examples, and those that its README and docstrings print.

For the oldest Python that pyproject.toml names. Where there is no mypy it says so and is content.
"""

import ast
import doctest
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = ROOT / "tools/python"
# What stands above an example in a docstring by itself.
GIVEN = "from zatt.client import Client, DistributedDict\nclient = Client()\n"


def printed_examples():
    """(name, program) of each text in which a session is printed."""
    for path in (ROOT / "README.md", PYTHON / "README.md"):
        yield path.relative_to(ROOT).as_posix(), doctest.script_from_examples(path.read_text(encoding="utf-8"))
    for path in sorted((PYTHON / "zatt").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node) or ""
                if ">>> " in text:
                    yield f"{path.stem}.{node.name}", GIVEN + doctest.script_from_examples(text)


def find_mypy():
    command = os.environ.get("MYPY") or shutil.which("mypy")
    if command:
        return [command]
    command = [sys.executable, "-m", "mypy"]
    done = subprocess.run([*command, "--version"], capture_output=True, check=False)
    return command if done.returncode == 0 else None


def run(mypy, paths):
    """mypy's exit code."""
    oldest = re.search(r'^requires-python = ">=(.*)"$', (PYTHON / "pyproject.toml").read_text(), re.M).group(1)
    command = [*mypy, "--strict", "--cache-dir", str(ROOT / "build/mypy"), *map(str, paths)]
    environment = dict(os.environ, MYPYPATH=str(PYTHON))
    done = subprocess.run([*command, "--python-version", oldest], env=environment, capture_output=True, text=True,
                          check=False)
    if "is not supported (must be" in done.stderr:
        print(f"this mypy knows nothing of Python {oldest}: for its own version, then")
        return subprocess.run(command, env=environment, check=False).returncode
    print(done.stdout + done.stderr, end="")
    return done.returncode


def main():
    mypy = find_mypy()
    if not mypy:
        print("Python types: skipped, for there is no mypy")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [PYTHON / "zatt", *sorted((PYTHON / "build_backend").glob("*.py"))]
        paths += sorted((ROOT / "docs/examples").glob("*.py"))
        for name, program in printed_examples():
            path = pathlib.Path(folder, re.sub(r"\W", "_", name) + ".py")
            path.write_text(program, encoding="utf-8")
            paths.append(path)
        return run(mypy, paths)


if __name__ == "__main__":
    sys.exit(main())
