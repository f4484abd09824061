"""Turns at the rows that all partitions share: who was overtaken decides again, and in halves when that is too slow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from chassis.journal import SharedConflict

FEW = 50
"""Records that are decided about as quickly as one."""
ATTEMPTS_FEW, ATTEMPTS_MANY = 50, 5
T = TypeVar("T")


def attempts(together: Sequence[Any]) -> int:
    """How often they are decided again before they are halved."""
    return ATTEMPTS_FEW if len(together) <= FEW else ATTEMPTS_MANY


def halves(together: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Both halves, to be decided one after the other. Raises SharedConflict for what cannot be halved."""
    if len(together) == 1:
        raise SharedConflict("shared rows are changed too often")
    middle = len(together) // 2
    return together[:middle], together[middle:]
