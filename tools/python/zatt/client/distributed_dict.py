# SPDX-License-Identifier: AGPL-3.0-or-later
"""DistributedDict: the dictionary that all who hold one share."""

import copy
from types import TracebackType
from typing import (Any, Dict, ItemsView, Iterable, Iterator, KeysView, List, Mapping, MutableMapping, Optional,
                    Tuple, Type, TypeVar, Union, ValuesView)

from . import values
from .codecs import codec_named
from .connection import now
from .errors import ConditionFailed
from .pipeline import raise_worst
from .plain import Client
from .refresh_policies import RefreshPolicy, RefreshPolicyAlways
from .servers import Named

DELETED_AT_ONCE = 1000

_no_default = object()

Self = TypeVar("Self", bound="DistributedDict")


class DistributedDict(MutableMapping[str, Any]):
    """A dict in a zatt cluster; what one writes here, everybody reads.

        >>> d = DistributedDict('127.0.0.1', 5254)
        >>> d['key1'] = 0
        >>> d['key1']
        0
        >>> d
        {'key1': 0}

    addr, port             members of the cluster, one or more: 'a', 5254, or 'a:5254,b:5254', or a list
                           of such; the others are learned from them
    append_retry_attempts  how often at most a write is sent that the servers refuse with nothing
                           done; never again one that may have been done
    refresh_policy         when reads ask the store; see zatt.client.refresh_policies
    timeout                seconds that an operation may take
    codec                  'json', or 'pickle'; see below

    Keys are str. Values are int, float, str, bool, None, list and dict (with keys of str), and come
    back equal and of the same type; others raise TypeError before anything is sent. Keys come in
    the order of their bytes in UTF-8.

    Each operation is atomic by itself, pop, popitem and setdefault too, and a read sees every write
    that was acknowledged before. update and clear are many operations. What goes over all of it
    (iteration, items, values, copy, repr, ==) reads pages of up to a thousand keys, each of one
    moment; dict(d) would ask for each key by itself, d.copy() does not.

    Two traps:

    *   d['n'] += 1 is a read and a write, and what another client does between them is lost. Use
        d.incr('n'), which is one.
    *   d['list'].append(1) changes the list that you were handed, and nothing in the store. Assign
        what you changed: d['list'] = d['list'] + [1], by one client at a time, or under a
        condition: d.client.set('list', new, if_rev=item.rev).

    A server that is down, or a cluster without a majority, raises a ConnectionError: nothing
    happened. OutcomeUnknown is raised for a write that was sent and not answered: it may have
    happened, and is never silently sent again. See zatt.client.errors.

    codec='pickle' stores what JSON cannot keep as {"pickle": BASE64}, and loads it again. WARNING:
    loading a pickle runs whatever its author put into it, as you. Whoever can write to the store
    can then run code in every client that has this codec. Use it only where all of them may.
    """

    def __init__(self, addr: Named = "127.0.0.1:5254", port: Union[int, str, None] = None,
                 append_retry_attempts: Optional[int] = 3, refresh_policy: Optional[RefreshPolicy] = None,
                 timeout: float = 5.0, codec: str = "json") -> None:
        self.refresh_policy = RefreshPolicyAlways() if refresh_policy is None else refresh_policy
        self.client = Client(addr, port, timeout, append_retry_attempts)
        self._codec = codec_named(codec)
        self._copy: Optional[Dict[str, Any]] = None

    def __getstate__(self) -> Dict[str, Any]:
        state = dict(self.__dict__)
        state["_copy"] = None  # as another process has none: fetched anew
        return state

    @classmethod
    def fromkeys(cls: Type[Self], keys: Iterable[str], value: Any, addr: Named,
                 port: Union[int, str, None] = None, **options: Any) -> Self:
        """Sets each of the keys to the value, in the store at this address: its DistributedDict."""
        made = cls(addr, port, **options)
        made.update(dict.fromkeys(keys, value))
        return made

    @property
    def refresh_policy(self) -> RefreshPolicy:
        """When reads ask the store; may be set."""
        return self._refresh_policy

    @refresh_policy.setter
    def refresh_policy(self, policy: RefreshPolicy) -> None:
        if isinstance(policy, type) or not callable(getattr(policy, "can_update", None)):
            raise TypeError(f"refresh_policy has a method can_update(), which {policy!r} has not")
        self._refresh_policy = policy

    @property
    def append_retry_attempts(self) -> Optional[int]:
        """How often at most a write is sent that the servers refuse with nothing done; may be set."""
        return self.client.attempts

    @append_retry_attempts.setter
    def append_retry_attempts(self, attempts: Optional[int]) -> None:
        self.client.attempts = attempts

    @property
    def diagnostic(self) -> Dict[str, Any]:
        """What the asked server knows of the cluster: its `status`, a dict."""
        return self.client.status()

    def config_cluster(self, action: str, address: str, port: int, member: Optional[str] = None,
                       timeout: float = 60.0) -> Dict[str, Any]:
        """Makes a server a member of the cluster ('add'), or no longer one ('delete').

        A member to add has an id, which it is started with (zattd --id); without `member` it is
        the lowest number that is not taken. Servers that do not serve this raise BadRequest.
        """
        members = self.client.status()["members"]
        if action == "add":
            if member is None:
                member = next(str(n) for n in range(len(members) + 1) if str(n) not in members)
            return self.client.add_member(member, address, port, timeout)
        if action != "delete":
            raise ValueError(f"action is 'add' or 'delete', not {action!r}")
        if member is None:
            named = [i for i, one in sorted(members.items()) if one["address"] == [address, port]]
            if not named:
                raise ValueError(f"no member has the address {address}:{port}")
            member = named[0]
        return self.client.remove_member(member, timeout)

    def close(self) -> None:
        """Closes the connections; a later operation opens new ones."""
        self.client.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    # --- reads ---

    def refresh(self, force: bool = False) -> None:
        """Fetches a new copy where the policy says so; needs to be called by nobody."""
        if not self._asks_always():
            self._copied(force)

    def __getitem__(self, key: str) -> Any:
        values.check_key(key)
        if self._asks_always():
            item = self.client.get(key)
            if item is None:
                raise KeyError(key)
            return self._codec.load(item.value)
        return self._codec.load(copy.deepcopy(self._copied()[key]))

    def __len__(self) -> int:
        return self.client.count() if self._asks_always() else len(self._copied())

    def __iter__(self) -> Iterator[str]:
        if self._asks_always():
            return (item.key for item in self.client.scan(keys_only=True))
        return iter(sorted(self._copied(), key=_bytes_of))

    def __reversed__(self) -> Iterator[str]:
        return iter(list(self)[::-1])

    def __or__(self, other: Mapping[str, Any]) -> Dict[str, Any]:
        """All of both, as a plain dict; where both have a key, as the other has it."""
        if not isinstance(other, Mapping):
            return NotImplemented
        both = self.copy()
        both.update(other.copy() if isinstance(other, DistributedDict) else other)
        return both

    def __ror__(self, other: Mapping[str, Any]) -> Dict[str, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        both = dict(other)
        both.update(self.copy())
        return both

    def __ior__(self: Self, other: Union[Mapping[str, Any], Iterable[Tuple[str, Any]]]) -> Self:
        self.update(other)
        return self

    def keys(self) -> "_Keys":
        return _Keys(self)

    def items(self) -> "_Items":
        return _Items(self)

    def values(self) -> "_Values":
        return _Values(self)

    def copy(self) -> Dict[str, Any]:
        """All of it, as a plain dict."""
        return dict(self._pairs())

    def __repr__(self) -> str:
        return repr(self.copy())

    # --- writes ---

    def __setitem__(self, key: str, value: Any) -> None:
        self.client.set(key, self._codec.dump(value))
        self._note(key, value)

    def __delitem__(self, key: str) -> None:
        found = self.client.delete(key) is not None
        self._forget(key)
        if not found:
            raise KeyError(key)

    def incr(self, key: str, by: int = 1) -> int:
        """Adds to an integer of 64 bits (an absent key is 0), atomically: what it is then."""
        value = self.client.incr(key, by)
        self._note(key, value)
        return value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """d[key], set to the default first where there is none: atomically."""
        dumped = self._codec.dump(default)
        item = self.client.get(key)
        if item is not None:
            return self._codec.load(item.value)
        try:
            self.client.set(key, dumped, if_absent=True)
        except ConditionFailed as e:
            return self._codec.load(e.value)
        self._note(key, default)
        return default

    def pop(self, key: str, default: Any = _no_default) -> Any:
        """The value that this call, and no other one anywhere, removed."""
        item = self.client.get(key)
        found, value, rev = (True, item.value, item.rev) if item else (False, None, 0)
        deadline = now() + self.client.timeout
        while found:
            try:
                if self.client.delete(key, if_rev=rev) is not None:
                    self._forget(key)
                    return self._codec.load(value)
                found = False
            except ConditionFailed as e:  # somebody was quicker
                if now() >= deadline:
                    raise
                found, value, rev = e.found, e.value, e.rev
        self._forget(key)
        if default is _no_default:
            raise KeyError(key)
        return default

    def popitem(self) -> Tuple[str, Any]:
        """The first (key, value) in the order of keys; removed by this call and no other one."""
        deadline = now() + self.client.timeout
        while True:
            first = list(self.client.scan(limit=1))
            if not first:
                raise KeyError("popitem(): dictionary is empty")
            key, value, rev = first[0]
            try:
                if self.client.delete(key, if_rev=rev) is not None:
                    self._forget(key)
                    return key, self._codec.load(value)
            except ConditionFailed:  # somebody was quicker
                if now() >= deadline:
                    raise

    def clear(self) -> None:
        """Deletes key by key, what is there when it comes by; others may write meanwhile."""
        keys: List[str] = []
        for item in self.client.scan(keys_only=True):
            keys.append(item.key)
            if len(keys) == DELETED_AT_ONCE:
                self.delete_many(keys)
                keys = []
        self.delete_many(keys)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Deletes these keys, those that there are, without waiting for each: how many there were."""
        keys = list(keys)
        pipeline = self.client.pipeline()
        for key in keys:
            pipeline.delete(key)
        results = pipeline.execute(raise_first=False)
        for key, result in zip(keys, results):
            if not isinstance(result, Exception):
                self._forget(key)
        raise_worst(results)
        return sum(result is not None for result in results)

    def update(self, *others: Any, **more: Any) -> None:
        """As of a dict: a write for each key, in turn, once all of them are known to be possible.

        They are sent without waiting for each answer; what fails is raised once those sent have one.
        """
        new: Dict[str, Any] = dict(*others, **more)
        pipeline = self.client.pipeline()
        for key, value in new.items():
            pipeline.set(key, self._codec.dump(value))
        results = pipeline.execute(raise_first=False)
        for (key, value), result in zip(new.items(), results):
            if not isinstance(result, Exception):
                self._note(key, value)
        raise_worst(results)

    # --- the copy ---

    def _asks_always(self) -> bool:
        return type(self.refresh_policy) is RefreshPolicyAlways

    def _copied(self, force: bool = False) -> Dict[str, Any]:
        """The copy, fetched anew where the policy says so."""
        due = force or self.refresh_policy.can_update()
        if due or self._copy is None:
            self._copy = {item.key: item.value for item in self.client.scan()}
        return self._copy

    def _pairs(self) -> Iterator[Tuple[str, Any]]:
        if self._asks_always():
            for item in self.client.scan():
                yield item.key, self._codec.load(item.value)
            return
        copied = self._copied()
        for key in sorted(copied, key=_bytes_of):
            yield key, self._codec.load(copy.deepcopy(copied[key]))

    def _note(self, key: str, value: Any) -> None:
        """Our own writes are in the copy at once."""
        if self._copy is not None:
            self._copy[key] = copy.deepcopy(self._codec.dump(value))

    def _forget(self, key: str) -> None:
        if self._copy is not None:
            self._copy.pop(key, None)


class _Keys(KeysView[str]):
    def __reversed__(self) -> Iterator[str]:
        return iter(list(self)[::-1])


class _Items(ItemsView[str, Any]):
    def __init__(self, shared: DistributedDict) -> None:
        super().__init__(shared)
        self._shared = shared

    def __iter__(self) -> Iterator[Tuple[str, Any]]:
        return self._shared._pairs()

    def __reversed__(self) -> Iterator[Tuple[str, Any]]:
        return iter(list(self)[::-1])


class _Values(ValuesView[Any]):
    def __init__(self, shared: DistributedDict) -> None:
        super().__init__(shared)
        self._shared = shared

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._shared._pairs())

    def __reversed__(self) -> Iterator[Any]:
        return iter(list(self)[::-1])

    def __contains__(self, wanted: object) -> bool:
        return any(value == wanted for value in self)


def _bytes_of(key: str) -> bytes:
    return key.encode("utf-8")
