# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sender: an operation out, a reply in, from whichever server gives one.

It repeats only what is safe to repeat: what was refused with nothing done, what was never sent
whole, and reads. A write that was sent and not answered is OutcomeUnknown, and is never repeated
unless the caller asked for that.
"""

import itertools
from typing import Any, Iterator, Optional

from . import values
from .connection import Broken, Connection, NotSent, checked_timeout, now
from .errors import OutcomeUnknown, TryAgain, ZattError, refusal
from .operations import Operation, Result, request_line
from .replies import Reply, receive_reply
from .servers import Pauses, Problems, Servers, unreachable

LONGEST_READ_S = 5.0  # of one server, where there are others


class Sender:
    """Shared by threads: each call in progress has a connection of its own."""

    def __init__(self, servers: Servers, timeout: float, attempts: Optional[int]) -> None:
        self.servers = servers
        self.timeout = timeout
        self.attempts = attempts
        self._ids: Iterator[int] = itertools.count(1)

    @property
    def timeout(self) -> float:
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._timeout = checked_timeout(seconds)

    @property
    def attempts(self) -> Optional[int]:
        return self._attempts

    @attempts.setter
    def attempts(self, attempts: Optional[int]) -> None:
        if attempts is not None and type(attempts) is not int:
            raise TypeError(f"attempts is an int or None, not {attempts!r}")
        if attempts is not None and attempts < 1:
            raise ValueError(f"attempts is at least 1, or None, not {attempts!r}")
        self._attempts = attempts

    def next_id(self) -> int:
        return next(self._ids)

    def may_send(self, sent: int) -> bool:
        """Whether a refused write that was sent so often may be sent once more."""
        return self.attempts is None or sent < self.attempts

    def until(self, timeout: Optional[float] = None) -> float:
        return now() + (self.timeout if timeout is None else checked_timeout(timeout))

    def call(self, operation: Operation[Result], timeout: Optional[float] = None,
             retry_unknown: bool = False) -> Result:
        """Its result where the reply is ok, sent again where that is safe or asked for; else the exception."""
        deadline = self.until(timeout)
        problems: Problems = {}
        pauses = Pauses(deadline)
        unbounded = retry_unknown or operation.is_read()
        attempts = itertools.count(1)
        unknown: Optional[ZattError] = None
        while True:
            error: ZattError
            try:
                reply = self.exchange(operation, deadline, problems, retry_unknown)
                if reply["ok"]:
                    return operation.result(reply)
                error = refusal(reply)
            except (OutcomeUnknown, TryAgain) as e:
                error = e
                if not (retry_unknown and isinstance(error, OutcomeUnknown)):
                    raise unknown or error
            if retry_unknown and isinstance(error, OutcomeUnknown):
                unknown = error
            elif not isinstance(error, TryAgain) or not (unbounded or self.may_send(next(attempts))):
                raise unknown or error
            if not pauses.wait():
                raise unknown or error  # that one was refused says nothing of the one before

    def exchange(self, operation: Operation[Any], deadline: float, problems: Problems,
                 retry_unknown: bool = False) -> Reply:
        """One reply, from whichever server gives one; it is checked, ok or not."""
        text = values.encode(operation.fields)
        is_read = operation.is_read()
        pauses = Pauses(deadline)
        while True:
            connection = self.servers.take(deadline, problems)
            # What may be repeated can go elsewhere later; a write that was sent is waited for to the end.
            until = deadline
            if (is_read or retry_unknown) and len(self.servers.known()) > 1:
                until = now() + min((deadline - now()) / 2, LONGEST_READ_S)
            try:
                reply = self._ask(connection, operation, text, until)
            except NotSent as e:
                why = str(e)
            except Broken as e:
                why = str(e)
                if not is_read:
                    self.servers.failed(connection.server)
                    raise unanswered(operation, connection, e) from e
            else:
                if reply["ok"] or not isinstance(refusal(reply), TryAgain):
                    self.servers.give(connection)
                else:
                    self._leave(connection)
                return reply
            self.servers.failed(connection.server)
            problems[connection.server] = why
            if not pauses.wait():
                raise unreachable(problems)

    def _leave(self, connection: Connection) -> None:
        """It answers, but another server may do better; where there is none it is kept."""
        if len(self.servers.known()) > 1:
            connection.close()
            self.servers.failed(connection.server)
        else:
            self.servers.give(connection)

    def _ask(self, connection: Connection, operation: Operation[Any], text: str, deadline: float) -> Reply:
        """The reply that belongs to this request, or Broken (and the connection closed)."""
        fields = operation.fields
        number = fields.get("id", self.next_id())
        try:
            connection.send(request_line(text, fields, number, deadline), deadline)
            return receive_reply(connection, fields, number, operation.check, deadline)
        except BaseException:  # also ^C: the rest of a reply must not answer the next request
            connection.close()
            raise


def unanswered(operation: Operation[Any], connection: Connection, why: Exception) -> OutcomeUnknown:
    """Of a write that was sent there, and has no answer."""
    host, port = connection.server
    what = operation.fields.get("op", "a request")
    return OutcomeUnknown(f"{what} of {host}:{port} may happen or not: {why}")
