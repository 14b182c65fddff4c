# SPDX-License-Identifier: AGPL-3.0-or-later
"""Client: the protocol as methods, over whichever server works."""

from types import TracebackType
from typing import Any, Dict, Iterator, Optional, Type, Union

from . import operations, values
from .operations import NOT_GIVEN, Condition, Item, condition_of
from .pipeline import Pipeline
from .sender import Sender
from .servers import Named, Servers, named

PAGE_ITEMS = 1000


class Client:
    """A zatt cluster, as the protocol has it.

        >>> client = Client('127.0.0.1:5254')
        >>> client.set('lamp', {'on': True}) > 0
        True
        >>> item = client.get('lamp')
        >>> item and item.value
        {'on': True}

    servers   one or more of the cluster's members: 'host:port', 'host:port,host:port',
              ('host', port), or a list of these. The other members are learned from them.
    port      of the one host that `servers` is the name of
    timeout   seconds that a call may take in all. (The look-up of a name cannot be bounded.)
    attempts  how often at most a write that was refused with nothing done is sent within that
              time; None: as often as fits.

    Writes take one condition, and raise ConditionFailed, with the key as it is, where it does not
    hold: if_absent=True, if_exists=True, if_rev=N (0: absent), or if_value=V, which compares JSON
    texts: 1 and 1.0 differ. stale=True on a read answers at once from what the asked server has,
    also without a leader; it may miss even the writes before it.

    retry_unknown=True on a set or delete sends it again, within the timeout, where no answer came. It
    takes no condition: the second could meet what the first one did. What others write meanwhile may
    be written over, and a delete returns None where the first had been carried out.

    Nothing is dialled before the first call. Threads may share a Client; each call in progress has a
    connection of its own. A forked child may go on with it, and a pickle of it opens connections of
    its own. Errors are those of zatt.client.errors.
    """

    def __init__(self, servers: Named = "127.0.0.1:5254", port: Union[int, str, None] = None,
                 timeout: float = 5.0, attempts: Optional[int] = None) -> None:
        self._sender = Sender(Servers(named(servers, port)), timeout, attempts)

    def __getstate__(self) -> Dict[str, Any]:
        return {"servers": self.servers.given(), "timeout": self.timeout, "attempts": self.attempts}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        Client.__init__(self, **state)

    @property
    def servers(self) -> Servers:
        """Those there are, as far as they are known; servers.known() lists them."""
        return self._sender.servers

    @property
    def timeout(self) -> float:
        """Seconds that a call may take in all."""
        return self._sender.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._sender.timeout = seconds

    @property
    def attempts(self) -> Optional[int]:
        """How often at most a write that was refused with nothing done is sent; None: as fits."""
        return self._sender.attempts

    @attempts.setter
    def attempts(self, attempts: Optional[int]) -> None:
        self._sender.attempts = attempts

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({','.join(f'{host}:{port}' for host, port in self.servers.known())!r})"

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        self.servers.close()

    def get(self, key: str, stale: bool = False) -> Optional[Item]:
        """Item(key, value, rev), or None where there is no such key."""
        return self._sender.call(operations.get(key, stale))

    def set(self, key: str, value: Any, retry_unknown: bool = False, *, if_absent: bool = False,
            if_exists: bool = False, if_rev: Optional[int] = None, if_value: Any = NOT_GIVEN) -> int:
        """The revision of the write."""
        condition = condition_of(if_absent, if_exists, if_rev, if_value)
        _check_retry(retry_unknown, condition)
        return self._sender.call(operations.store(key, value, condition), retry_unknown=retry_unknown)

    def delete(self, key: str, retry_unknown: bool = False, *, if_absent: bool = False,
               if_exists: bool = False, if_rev: Optional[int] = None,
               if_value: Any = NOT_GIVEN) -> Optional[int]:
        """The revision of the write, or None where there is no such key."""
        condition = condition_of(if_absent, if_exists, if_rev, if_value)
        _check_retry(retry_unknown, condition)
        return self._sender.call(operations.delete(key, condition), retry_unknown=retry_unknown)

    def incr(self, key: str, by: int = 1, *, if_absent: bool = False, if_exists: bool = False,
             if_rev: Optional[int] = None, if_value: Any = NOT_GIVEN) -> int:
        """Adds to an integer of 64 bits (an absent key is 0), atomically: what it is then.

        ConditionFailed where the value is something else, or would leave its 64 bits.
        """
        return self._sender.call(operations.incr(key, by, condition_of(if_absent, if_exists, if_rev, if_value)))

    def pipeline(self) -> Pipeline:
        """Collects operations, and sends them without waiting for each answer; see Pipeline."""
        return Pipeline(self._sender)

    def scan(self, prefix: str = "", after: Optional[str] = None, limit: Optional[int] = None,
             keys_only: bool = False, stale: bool = False) -> Iterator[Item]:
        """An Item for each key that begins with `prefix`, in the order of their bytes.

        Of those strictly after the key `after`, at most `limit` of them; the value is None under
        keys_only. It asks for a page at a time: each page is one picture, two pages are two.
        """
        values.check_key(prefix)
        if after is not None:
            values.check_key(after)
        while limit is None or limit > 0:
            size = PAGE_ITEMS if limit is None else min(limit, PAGE_ITEMS)
            page = self._sender.call(operations.scan(prefix, after, size, keys_only, stale))
            for item in page["items"]:
                after = item["key"]
                yield Item(item["key"], item.get("value"), item["rev"])
            if not page["more"]:
                return
            if limit is not None:
                limit -= len(page["items"])

    def count(self, prefix: str = "", stale: bool = False) -> int:
        """How many keys begin with `prefix`."""
        return self._sender.call(operations.count(prefix, stale))

    def status(self) -> Dict[str, Any]:
        """What the asked server knows of the cluster, a dict; also while there is no leader."""
        reply = self._sender.call(operations.status())
        self.servers.learn(reply)
        return reply

    def ping(self) -> bool:
        """True once a server has answered."""
        return self._sender.call(operations.ping())

    def add_member(self, member: str, host: str, port: int, timeout: float = 60.0) -> Dict[str, Any]:
        """Makes the server with this id and address a member: all members then, a dict.

        Needs servers that serve it; others refuse, with a BadRequest that says so.
        """
        fields = {"op": "add_member", "member": member, "address": [host, port]}
        return self._sender.call(operations.change_members(fields), timeout)

    def remove_member(self, member: str, timeout: float = 60.0) -> Dict[str, Any]:
        """Makes it no member any more: all members then. As add_member otherwise."""
        fields = {"op": "remove_member", "member": member}
        return self._sender.call(operations.change_members(fields), timeout)

    def request(self, fields: Dict[str, Any], timeout: Optional[float] = None) -> Dict[str, Any]:
        """Sends a request as it is, once, and returns its reply, also where that is not ok.

        For what has no method here. Everything but a plain read is taken for a write: where it was
        sent and no reply came, it is OutcomeUnknown.
        """
        return self._sender.exchange(operations.as_it_is(fields), self._sender.until(timeout), {})


def _check_retry(retry_unknown: bool, condition: Condition) -> None:
    if type(retry_unknown) is not bool:
        raise TypeError(f"retry_unknown is True or False, not {retry_unknown!r}")
    if retry_unknown and condition is not None:
        raise TypeError("retry_unknown goes with no condition: a second write could meet the first one")
