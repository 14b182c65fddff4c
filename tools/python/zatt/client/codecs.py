# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a DistributedDict stores for a value: the value itself, or a pickle where JSON has no word.

WARNING: loading a pickle runs what its author put into it. Only who asked for it by name gets it.
"""

import base64
import pickle
from typing import Any, Type, Union

from . import values

TAG = "pickle"
PICKLE_PROTOCOL = 4


class Json:
    """As it is, or a TypeError."""

    @staticmethod
    def dump(value: Any) -> Any:
        values.check_value(value)
        return value

    @staticmethod
    def load(stored: Any) -> Any:
        return stored


class Pickle:
    """What JSON keeps is stored as JSON, for everybody; the rest as {"pickle": BASE64}."""

    @staticmethod
    def dump(value: Any) -> Any:
        if not _is_pickle(value):
            try:
                values.check_value(value)
                return value
            except (TypeError, ValueError):
                pass
        pickled = pickle.dumps(value, PICKLE_PROTOCOL)
        return {TAG: base64.b64encode(pickled).decode("ascii")}

    @staticmethod
    def load(stored: Any) -> Any:
        return pickle.loads(base64.b64decode(stored[TAG])) if _is_pickle(stored) else stored


Codec = Union[Type[Json], Type[Pickle]]


def _is_pickle(stored: Any) -> bool:
    return type(stored) is dict and list(stored) == [TAG] and type(stored[TAG]) is str


def codec_named(name: str) -> Codec:
    if name == "json":
        return Json
    if name == "pickle":
        return Pickle
    raise ValueError(f"codec is 'json' or 'pickle', not {name!r}")
