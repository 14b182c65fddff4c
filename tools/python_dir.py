#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where packages below a PREFIX belong, so that this python3 finds them: `tools/python_dir.py PREFIX`.

One of the folders that it looks into by itself, where one lies there; else the usual one, which then has
to be named in PYTHONPATH.
"""

import site
import sys


def main():
    prefix = sys.argv[1].rstrip("/")
    usual = f"{prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    print(next((d for d in site.getsitepackages() if d.startswith(prefix + "/lib")), usual))


if __name__ == "__main__":
    main()
