# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong, told apart by what the caller may do next.

    ZattError
      TryAgain         nothing happened: the same call may be made again; is a ConnectionError
        Unreachable    no server answered
        NoLeader, Unavailable, Overloaded, ShuttingDown    a server said so
      OutcomeUnknown   a write may have happened, now, later or never: look before repeating it
      Refused          a server said no, and nothing happened; has .code, .message and .reply
        ConditionFailed, BadRequest, TooLarge, StorageFull, NoLeader, ...

What is said to be wrong before anything is sent is a TypeError or ValueError, and an absent key of
a DistributedDict is a KeyError, as everywhere in Python.
"""

from typing import Any, Dict, Tuple, Type


class ZattError(Exception):
    """All errors of this package that a server or the way to it causes."""


class TryAgain(ZattError, ConnectionError):
    """Nothing happened, and nothing will: the same call may be made again."""


class Unreachable(TryAgain):
    """No server answered in time. The message says how each one failed."""


class OutcomeUnknown(ZattError):
    """A write was sent, and its fate was not learned: it may happen now, later or never.

    It is deliberately no ConnectionError: what catches those to call again would do a thing twice.
    """


class Refused(ZattError):
    """A server answered that it did not do it.

    code     what for, as in the protocol: "condition_failed", "bad_request", ...
    message  a sentence for people
    reply    the whole reply, a dict
    """

    def __init__(self, reply: Dict[str, Any]) -> None:
        self.reply = reply
        self.code: str = reply["error"]
        self.message: str = reply.get("message", "")
        super().__init__(f"{self.code}: {self.message}")

    def __reduce__(self) -> Tuple[Type["Refused"], Tuple[Dict[str, Any]]]:
        return type(self), (self.reply,)


class ConditionFailed(Refused):
    """A condition did not hold, or incr met no integer. The key as it is:

    found    whether it is there
    value    its value, where it is there
    rev      its revision; 0 where it is not there, as conditions take it
    """

    def __init__(self, reply: Dict[str, Any]) -> None:
        super().__init__(reply)
        self.found: bool = reply.get("found", False)
        self.value: Any = reply.get("value")
        self.rev: int = reply.get("rev", 0)


class BadRequest(Refused):
    """The request breaks a rule of the protocol, or this version does not serve it."""


class TooLarge(Refused):
    """The key, or the whole request, is longer than the server takes."""


class StorageFull(Refused):
    """The disk has no room for growth; reads and deletes go on."""


class NoLeader(Refused, TryAgain):
    """The cluster had no leader in time: too many of its members are away."""


class Unavailable(Refused, TryAgain):
    """There is a leader, and it could not confirm a read in time."""


class Overloaded(Refused, TryAgain):
    """The server has too much to do already."""


class ShuttingDown(Refused, TryAgain):
    """The server is stopping, and no other one was found in time."""


BY_CODE: Dict[str, Type[Refused]] = {
    "condition_failed": ConditionFailed,
    "bad_request": BadRequest,
    "too_large": TooLarge,
    "storage_full": StorageFull,
    "no_leader": NoLeader,
    "unavailable": Unavailable,
    "overloaded": Overloaded,
    "shutting_down": ShuttingDown,
}


def refusal(reply: Dict[str, Any]) -> ZattError:
    """The exception for a reply that is not ok."""
    if reply["error"] == "outcome_unknown":
        return OutcomeUnknown(reply.get("message", "the server does not know either"))
    return BY_CODE.get(reply["error"], Refused)(reply)
