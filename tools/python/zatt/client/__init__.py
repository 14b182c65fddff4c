# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients of zatt: DistributedDict, a dict that many share, and Client, the protocol as methods."""

from .distributed_dict import DistributedDict
from .errors import (BadRequest, ConditionFailed, NoLeader, OutcomeUnknown, Overloaded, Refused,
                     ShuttingDown, StorageFull, TooLarge, TryAgain, Unavailable, Unreachable,
                     ZattError)
from .operations import Item
from .pipeline import Pipeline
from .plain import Client

__all__ = ["DistributedDict", "Client", "Pipeline", "Item", "ZattError", "TryAgain", "Unreachable",
           "OutcomeUnknown", "Refused", "ConditionFailed", "BadRequest", "TooLarge", "StorageFull",
           "NoLeader", "Unavailable", "Overloaded", "ShuttingDown"]
