# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a DistributedDict stores for a value: the value itself, or a pickle where JSON has no word.

WARNING: loading a pickle runs what its author put into it. Only who asked for it by name gets it.
"""

import base64
import pickle

from . import values

TAG = "pickle"
PICKLE_PROTOCOL = min(4, pickle.HIGHEST_PROTOCOL)


class Json(object):
    """As it is, or a TypeError."""

    @staticmethod
    def dump(value):
        values.check_value(value)
        return value

    @staticmethod
    def load(stored):
        return stored


class Pickle(object):
    """What JSON keeps is stored as JSON, for everybody; the rest as {"pickle": BASE64}."""

    @staticmethod
    def dump(value):
        if not _is_pickle(value):
            try:
                values.check_value(value)
                return value
            except (TypeError, ValueError):
                pass
        pickled = pickle.dumps(value, PICKLE_PROTOCOL)
        return {TAG: base64.b64encode(pickled).decode("ascii")}

    @staticmethod
    def load(stored):
        return pickle.loads(base64.b64decode(stored[TAG])) if _is_pickle(stored) else stored


def _is_pickle(stored):
    return type(stored) is dict and list(stored) == [TAG] and type(stored[TAG]) in values.TEXTS


def codec_named(name):
    try:
        return {"json": Json, "pickle": Pickle}[name]
    except (KeyError, TypeError):
        raise ValueError("codec is 'json' or 'pickle', not %r" % (name,))
