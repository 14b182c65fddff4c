# SPDX-License-Identifier: AGPL-3.0-or-later
"""A dictionary that many share, in Python: `python3 dict.py 127.0.0.1:5254`."""

import sys
from typing import List

from zatt.client import ConditionFailed, DistributedDict, OutcomeUnknown


def append(d: DistributedDict, key: str, value: str) -> List[str]:
    """Adds to a list that others add to as well: a read and a write, again where somebody was quicker."""
    while True:
        item = d.client.get(key)
        new: List[str] = (item.value if item else []) + [value]
        try:
            d.client.set(key, new, if_rev=item.rev if item else 0)
            return new
        except ConditionFailed:
            pass


def main() -> int:
    with DistributedDict(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:5254") as d:
        d["key1"] = {"a": [1, 2]}
        print(d["key1"], "absent" in d)
        print("visits:", d.incr("visits"))
        print("log:", append(d, "log", "was here"))

        # Many at once: none waits for the answer to the one before.
        pipeline = d.client.pipeline()
        for n in range(1000):
            pipeline.set(f"many/{n:03}", n)
        try:
            print(len(pipeline.execute()), "done")
        except OutcomeUnknown as e:
            print(f"some of them may have happened, or may yet: {e}")
            return 4
        print(d.delete_many(f"many/{n:03}" for n in range(1000)), "deleted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
