# SPDX-License-Identifier: AGPL-3.0-or-later
"""Python values to JSON text and back, or not at all.

A value must come back equal and of the same type, so what JSON would change is a TypeError before
anything is sent. The type is taken exactly: an IntEnum or a namedtuple would come back as something
else. Strings are written unescaped, since conditions compare texts and all clients must write one.
"""

import decimal
import json

MAX_DEPTH = 128     # of a value, as the servers take it: a scalar is 0, [] is 1
MAX_DIGITS = 4300   # of an integer: Python's own limit, here the same for all its versions

TEXTS = (str, type(u""))           # one and the same, but in Python 2.7
INTEGERS = (int, type(2 ** 100))
KNOWN = (tuple, set, bytes, int, float, bool, type(None), list, dict)
INFINITIES = (float("inf"), float("-inf"))
BIGGEST = 10 ** MAX_DIGITS


def check_key(key):
    if type(key) not in TEXTS:
        raise TypeError("a key is a str, not %s" % _kind(key))
    _check_text(key)


def check_value(value, depth=0):
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind in TEXTS:
        _check_text(value)
    elif kind in INTEGERS:
        if not -BIGGEST < value < BIGGEST:
            raise ValueError("an integer of more than %d digits" % MAX_DIGITS)
    elif kind is float:
        if value != value or value in INFINITIES:
            raise TypeError("JSON has no number for %r" % value)
    elif kind is list:
        _check_depth(depth)
        for item in value:
            check_value(item, depth + 1)
    elif kind is dict:
        _check_depth(depth)
        for name, item in value.items():
            if type(name) not in TEXTS:
                raise TypeError("JSON would change the key %r of a dict, not a str but %s"
                                % (name, _kind(name)))
            _check_text(name)
            check_value(item, depth + 1)
    else:
        raise TypeError("JSON would change %s; it keeps int, float, str, bool, None, list, dict "
                        "(and no subclass of them)" % _kind(value))


def _check_text(text):
    try:
        text.encode("utf-8")
    except UnicodeError as e:
        raise TypeError("a str with half a surrogate pair is no text: %s" % e)


def _check_depth(depth):
    if depth >= MAX_DEPTH:
        raise ValueError("nested more than %d deep, or inside itself" % MAX_DEPTH)


def _kind(value):
    """Its type's name; with the module, but for what everybody knows."""
    kind = type(value)
    return kind.__name__ if kind in KNOWN else "%s.%s" % (kind.__module__, kind.__name__)


def encode(value):
    """The JSON text of what was checked: unescaped, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(line):
    """The object that the bytes of a reply are; a ValueError where they are none."""
    try:
        reply = _decoder.decode(line.decode("utf-8"))
    except RuntimeError:  # the recursion limit
        raise ValueError("nested too deep")
    if type(reply) is not dict:
        raise ValueError("not an object")
    return reply


def _integer(text):
    if len(text) <= MAX_DIGITS:
        try:
            return int(text)
        except ValueError:  # somebody set Python's limit lower
            pass
    return _decimal(text)


def _float(text):
    number = float(text)
    return _decimal(text) if number in INFINITIES else number


def _decimal(text):
    """What other clients may store and neither int nor float can hold, such as 1e400."""
    try:
        return decimal.Decimal(text, _exact)
    except ArithmeticError:
        return float(text)


def _constant(text):
    raise ValueError("%s is not JSON" % text)


_exact = decimal.Context(traps=[decimal.InvalidOperation])
_decoder = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)
