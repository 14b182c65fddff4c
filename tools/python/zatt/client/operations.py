# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operations: what each one sends, how its reply is checked, and what of the reply is its result.

What is said to be wrong here is a TypeError or ValueError before anything is sent.
"""

from typing import Any, Callable, Dict, Generic, NamedTuple, Optional, TypeVar

from . import replies, values
from .connection import now
from .replies import Check, Fields, Reply

READS = ("get", "scan", "count", "status", "ping")
LONGEST_TIMEOUT_MS = 600000

Condition = Optional[Dict[str, Any]]  # the "if" of a write
Result = TypeVar("Result")


class Item(NamedTuple):
    """A key as it was found. The value is None where only keys were asked for."""

    key: str
    value: Any
    rev: int


class Operation(Generic[Result]):
    def __init__(self, fields: Fields, check: Check, result: Callable[[Reply], Result]) -> None:
        self.fields = fields
        self.check = check
        self.result = result

    def is_read(self) -> bool:
        """Whether doing it twice is doing it once."""
        return self.fields.get("op") in READS


def get(key: str, stale: bool) -> Operation[Optional[Item]]:
    values.check_key(key)

    def result(reply: Reply) -> Optional[Item]:
        return Item(key, reply["value"], reply["rev"]) if reply["found"] else None
    return Operation(_read({"op": "get", "key": key}, stale), replies.check_get, result)


def store(key: str, value: Any, condition: Condition) -> Operation[int]:
    values.check_key(key)
    values.check_value(value)
    fields = _under({"op": "set", "key": key, "value": value}, condition)
    return Operation(fields, replies.check_rev, _rev_of)


def delete(key: str, condition: Condition) -> Operation[Optional[int]]:
    values.check_key(key)

    def result(reply: Reply) -> Optional[int]:
        return _rev_of(reply) if reply["found"] else None
    return Operation(_under({"op": "delete", "key": key}, condition), replies.check_delete, result)


def incr(key: str, by: int, condition: Condition) -> Operation[int]:
    values.check_key(key)
    if type(by) is not int:
        raise TypeError(f"by is an int, not {by!r}")

    def result(reply: Reply) -> int:
        value: int = reply["value"]
        return value
    return Operation(_under({"op": "incr", "key": key, "by": by}, condition), replies.check_incr, result)


def scan(prefix: str, after: Optional[str], limit: int, keys_only: bool, stale: bool) -> Operation[Reply]:
    """One page."""
    fields = _read({"op": "scan", "prefix": prefix, "keys_only": keys_only, "limit": limit}, stale)
    if after is not None:
        fields["after"] = after
    return Operation(fields, replies.check_scan, _all_of)


def count(prefix: str, stale: bool) -> Operation[int]:
    values.check_key(prefix)

    def result(reply: Reply) -> int:
        keys: int = reply["count"]
        return keys
    return Operation(_read({"op": "count", "prefix": prefix}, stale), replies.check_count, result)


def status() -> Operation[Reply]:
    return Operation({"op": "status"}, replies.check_nothing, replies.without_frame)


def ping() -> Operation[bool]:
    return Operation({"op": "ping"}, replies.check_nothing, lambda reply: True)


def change_members(fields: Fields) -> Operation[Dict[str, Any]]:
    """The members that there are then."""
    def result(reply: Reply) -> Dict[str, Any]:
        members: Dict[str, Any] = reply["members"]
        return members
    return Operation(fields, replies.check_members, result)


def as_it_is(fields: Fields) -> Operation[Reply]:
    if type(fields) is not dict:
        raise TypeError("a request is a dict")
    for name, value in fields.items():
        values.check_key(name)
        values.check_value(value)
    return Operation(fields, replies.check_nothing, _all_of)


class _NotGiven:
    def __repr__(self) -> str:
        return "<not given>"


NOT_GIVEN = _NotGiven()  # where None is a value as any other


def condition_of(if_absent: bool, if_exists: bool, if_rev: Optional[int], if_value: Any) -> Condition:
    """The one condition among those that a write takes, or None."""
    wanted: Dict[str, Dict[str, Any]] = {}
    if if_absent:
        wanted["if_absent"] = {"exists": False}
    if if_exists:
        wanted["if_exists"] = {"exists": True}
    if if_rev is not None:
        if type(if_rev) is not int:
            raise TypeError(f"if_rev is an int, not {if_rev!r}")
        wanted["if_rev"] = {"rev": if_rev}
    if if_value is not NOT_GIVEN:
        values.check_value(if_value)
        wanted["if_value"] = {"value": if_value}
    if len(wanted) > 1:
        raise TypeError(f"one condition at a time, not {' and '.join(wanted)}")
    return next(iter(wanted.values()), None)


def request_line(text: str, fields: Fields, number: Any, deadline: float) -> bytes:
    """The request's line, of its fields as text. Its server gives up a little before we do, so that it
    can say so."""
    more = ""
    if "id" not in fields:
        more += f',"id":{number}'
    if "timeout_ms" not in fields:
        milliseconds = int((deadline - now()) * 900)
        more += f',"timeout_ms":{max(1, min(milliseconds, LONGEST_TIMEOUT_MS))}'
    if len(text) == 2:  # {}
        more = more[1:]
    return f"{text[:-1]}{more}}}\n".encode("utf-8")


def _read(fields: Fields, stale: bool) -> Fields:
    if stale:
        fields["stale"] = True
    return fields


def _under(fields: Fields, condition: Condition) -> Fields:
    if condition is not None:
        fields["if"] = condition
    return fields


def _rev_of(reply: Reply) -> int:
    rev: int = reply["rev"]
    return rev


def _all_of(reply: Reply) -> Reply:
    return reply
