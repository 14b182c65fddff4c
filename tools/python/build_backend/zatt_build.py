# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes a wheel, which is a zip file, of the package beside it (PEP 517, 660, 427).

setuptools would do the same, but pip fetches it from the network for each installation, and the
machines zatt is for may have none. Names and texts are read from pyproject.toml, and the version
from zatt/__init__.py, each a line of its own.
"""

import base64
import hashlib
import io
import os
import re
import tarfile
import zipfile
from typing import Any, List, Optional, Tuple

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LICENSES = ("LICENSE", os.path.join("..", "..", "LICENSE"))  # in an sdist, in the source tree
SOURCES = ("README.md", "pyproject.toml", os.path.join("build_backend", "zatt_build.py"))
File = Tuple[str, bytes]  # path, with / between its parts, and what is in it
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same sources make the same bytes


def build_wheel(wheel_directory: str, config_settings: Any = None,
                metadata_directory: Optional[str] = None) -> str:
    return _write_wheel(wheel_directory, [(name, _read(name)) for name in _modules()])


def build_editable(wheel_directory: str, config_settings: Any = None,
                   metadata_directory: Optional[str] = None) -> str:
    return _write_wheel(wheel_directory, [("zatt.pth", (HERE + "\n").encode("utf-8"))])


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    base = "zatt-" + _version()
    files = [(name, _read(name)) for name in list(SOURCES) + _modules()]
    files += [("PKG-INFO", _metadata())] + _license("LICENSE")
    name = base + ".tar.gz"
    where = os.path.join(sdist_directory, name)
    with tarfile.open(where, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for path, data in files:
            entry = tarfile.TarInfo(f"{base}/{path.replace(os.sep, '/')}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return name


def _write_wheel(directory: str, files: List[File]) -> str:
    info = f"zatt-{_version()}.dist-info"
    files = files + [
        (info + "/METADATA", _metadata()),
        (info + "/WHEEL", b"Wheel-Version: 1.0\nGenerator: zatt_build\n"
                          b"Root-Is-Purelib: true\nTag: py3-none-any\n"),
    ] + _license(info + "/LICENSE")
    record = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in files]
    record.append(info + "/RECORD,,")
    files.append((info + "/RECORD", ("\n".join(record) + "\n").encode("utf-8")))
    name = f"zatt-{_version()}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files:
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, data)
    return name


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")


def _modules() -> List[str]:
    """All of the package, with / between the parts of a name."""
    found = []
    for folder, _, names in os.walk(os.path.join(HERE, "zatt")):
        found += [os.path.join(folder, name) for name in names if name.endswith((".py", ".typed"))]
    return sorted(os.path.relpath(path, HERE).replace(os.sep, "/") for path in found)


def _metadata() -> bytes:
    project = _read("pyproject.toml").decode("utf-8")
    head = [
        "Metadata-Version: 2.1",
        "Name: " + _quoted(r'^name = "(.*)"$', project),
        "Version: " + _version(),
        "Summary: " + _quoted(r'^description = "(.*)"$', project),
        "Requires-Python: " + _quoted(r'^requires-python = "(.*)"$', project),
        "License: " + _quoted(r'^license = { text = "(.*)" }$', project),
        "Description-Content-Type: text/markdown",
    ]
    return ("\n".join(head) + "\n\n").encode("utf-8") + _read("README.md")


def _version() -> str:
    return _quoted(r'^__version__ = "(.*)"$', _read("zatt/__init__.py").decode("utf-8"))


def _quoted(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.M)
    if not found:
        raise ValueError(f"nothing looks like {pattern}")
    return found.group(1)


def _license(path: str) -> List[File]:
    """As a list of one file; of none where this folder was taken along without it."""
    found = [name for name in LICENSES if os.path.exists(os.path.join(HERE, name))]
    return [(path, _read(name)) for name in found[:1]]


def _read(name: str) -> bytes:
    with open(os.path.join(HERE, name), "rb") as source:
        return source.read()
