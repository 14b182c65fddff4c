# SPDX-License-Identifier: AGPL-3.0-or-later
"""Python values to JSON text and back, or not at all.

A value must come back equal and of the same type, so what JSON would change is a TypeError before
anything is sent. The type is taken exactly: an IntEnum or a namedtuple would come back as something
else. Strings are written unescaped, since conditions compare texts and all clients must write one.
"""

import decimal
import json
from typing import Any, Dict, Union

MAX_DEPTH = 128     # of a value, as the servers take it: a scalar is 0, [] is 1
MAX_DIGITS = 4300   # of an integer: Python's own limit, here the same for all its versions

KNOWN = (tuple, set, bytes, int, float, bool, type(None), list, dict)
INFINITIES = (float("inf"), float("-inf"))
BIGGEST = 10 ** MAX_DIGITS


def check_key(key: str) -> None:
    if type(key) is not str:
        raise TypeError(f"a key is a str, not {_kind(key)}")
    _check_text(key)


def check_value(value: Any, depth: int = 0) -> None:
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind is str:
        _check_text(value)
    elif kind is int:
        if not -BIGGEST < value < BIGGEST:
            raise ValueError(f"an integer of more than {MAX_DIGITS} digits")
    elif kind is float:
        if value != value or value in INFINITIES:
            raise TypeError(f"JSON has no number for {value!r}")
    elif kind is list:
        _check_depth(depth)
        for item in value:
            check_value(item, depth + 1)
    elif kind is dict:
        _check_depth(depth)
        for name, item in value.items():
            if type(name) is not str:
                raise TypeError(f"JSON would change the key {name!r} of a dict, not a str but {_kind(name)}")
            _check_text(name)
            check_value(item, depth + 1)
    else:
        raise TypeError(f"JSON would change {_kind(value)}; it keeps int, float, str, bool, None, list, dict "
                        "(and no subclass of them)")


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeError as e:
        raise TypeError(f"a str with half a surrogate pair is no text: {e}") from e


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep, or inside itself")


def _kind(value: Any) -> str:
    """Its type's name; with the module, but for what everybody knows."""
    kind = type(value)
    return kind.__name__ if kind in KNOWN else f"{kind.__module__}.{kind.__name__}"


def encode(value: Any) -> str:
    """The JSON text of what was checked: unescaped, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(line: bytes) -> Dict[str, Any]:
    """The object that the bytes of a reply are; a ValueError where they are none."""
    try:
        reply = _decoder.decode(line.decode("utf-8"))
    except RecursionError as e:
        raise ValueError("nested too deep") from e
    if not isinstance(reply, dict):
        raise ValueError("not an object")
    return reply


def _integer(text: str) -> Union[int, float, decimal.Decimal]:
    if len(text) <= MAX_DIGITS:
        try:
            return int(text)
        except ValueError:  # somebody set Python's limit lower
            pass
    return _decimal(text)


def _float(text: str) -> Union[float, decimal.Decimal]:
    number = float(text)
    return _decimal(text) if number in INFINITIES else number


def _decimal(text: str) -> Union[float, decimal.Decimal]:
    """What other clients may store and neither int nor float can hold, such as 1e400."""
    try:
        return decimal.Decimal(text, _exact)
    except ArithmeticError:
        return float(text)


def _constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_exact = decimal.Context(traps=[decimal.InvalidOperation])
_decoder = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)
