# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a DistributedDict looks at the store, and when at the copy it has.

RefreshPolicyAlways, the default, asks the store at every read: no copy, nothing is ever old. Under
any other policy reads are answered from a copy of the whole dictionary, which is fetched at
the first read, and again at each read for which can_update() is true. A policy of your own
is any object with that method. Give each DistributedDict its own policy object: they count.
"""

import datetime
from typing import Optional, Protocol

from .connection import now


class RefreshPolicy(Protocol):
    """What every policy has; one of your own need not be derived from it."""

    def can_update(self) -> bool:
        """Whether this read fetches a new copy."""


class RefreshPolicyAlways:
    """Every read asks the store."""

    def can_update(self) -> bool:
        return True


class RefreshPolicyLock:
    """Reads fetch a new copy as long as the attribute `lock` is true."""

    def __init__(self, status: bool = True) -> None:
        self.lock = status

    def can_update(self) -> bool:
        return self.lock


class RefreshPolicyCount:
    """Every `maximum`-th read fetches a new copy."""

    def __init__(self, maximum: int = 10) -> None:
        self.maximum = maximum
        self.counter = 0

    def can_update(self) -> bool:
        self.counter += 1
        if self.counter < self.maximum:
            return False
        self.counter = 0
        return True


class RefreshPolicyTime:
    """A read fetches a new copy when this policy did not let one do so for `delta`."""

    def __init__(self, delta: datetime.timedelta = datetime.timedelta(minutes=1)) -> None:
        self.delta = delta
        self.last_refresh: Optional[float] = None

    def can_update(self) -> bool:
        time = now()
        if self.last_refresh is not None and time - self.last_refresh <= self.delta.total_seconds():
            return False
        self.last_refresh = time
        return True
