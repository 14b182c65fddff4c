# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a reply has to look like before anything in it is believed; where it does not, it is Broken."""

from typing import Any, Callable, Dict

from .connection import Broken, Connection

Fields = Dict[str, Any]  # of a request
Reply = Dict[str, Any]
Check = Callable[[Reply, Fields], None]  # of a reply that is ok, and the request that it answers

_no_value = object()


def receive_reply(connection: Connection, fields: Fields, number: Any, check: Check, deadline: float) -> Reply:
    """The next reply, which must belong to the request with this id, ok or not."""
    while True:
        reply = connection.receive_reply(deadline)
        if "ok" in reply or "event" not in reply:  # else pushed, and nobody here's
            break
    _check_frame(reply, number)
    if reply["ok"]:
        check(reply, fields)
    return reply


def without_frame(reply: Reply) -> Reply:
    return {name: value for name, value in reply.items() if name not in ("ok", "id")}


def check_nothing(reply: Reply, fields: Fields) -> None:
    pass


def check_rev(reply: Reply, fields: Fields) -> None:
    _need(reply, "rev", int)


def check_get(reply: Reply, fields: Fields) -> None:
    check_delete(reply, fields)
    if reply["found"] and "value" not in reply:
        raise Broken("its reply has no value")


def check_delete(reply: Reply, fields: Fields) -> None:
    _need(reply, "found", bool)
    if reply["found"]:
        _need(reply, "rev", int)


def check_incr(reply: Reply, fields: Fields) -> None:
    _need(reply, "value", int)
    _need(reply, "rev", int)


def check_count(reply: Reply, fields: Fields) -> None:
    _need(reply, "count", int)


def check_members(reply: Reply, fields: Fields) -> None:
    _need(reply, "members", dict)


def check_scan(reply: Reply, fields: Fields) -> None:
    _need(reply, "items", list)
    _need(reply, "more", bool)
    before = fields.get("after")
    for item in reply["items"]:
        if type(item) is not dict or type(item.get("key")) is not str:
            raise Broken("its reply has something else among the items")
        _need(item, "rev", int)
        if "value" not in item and not fields["keys_only"]:
            raise Broken("its reply has no value")
        # Else a scan could go in circles for ever.
        if before is not None and not before.encode("utf-8") < item["key"].encode("utf-8"):
            raise Broken("the keys of its reply are not in order")
        before = item["key"]
    if reply["more"] and not reply["items"]:
        raise Broken("its reply has no items, and more to come")


def _check_frame(reply: Reply, number: Any) -> None:
    ok = reply.get("ok")
    error = reply.get("error")
    if type(ok) is not bool or not ok and type(error) is not str:
        raise Broken("its reply has no ok, or no error")
    # Of a line that it did not take in, a server does not know the id.
    may_lack_id = error in ("too_large", "bad_request", "shutting_down")
    if reply.get("id", _no_value) != number and not ("id" not in reply and may_lack_id):
        raise Broken("its reply is to another request")
    if error == "condition_failed":
        check_get(reply, {})


def _need(reply: Reply, name: str, kind: type) -> None:
    if type(reply.get(name)) is not kind:
        raise Broken(f"its reply has no {name}, or not of type {kind.__name__}")
