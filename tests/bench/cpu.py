"""CPU time of processes from the kernel's scheduler; steadier than rates on a shared machine."""

import os
from collections.abc import Iterable
from pathlib import Path

TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
"""Microseconds per unit of the kernel."""


def cpu_of(pid: int) -> float:
    """Microseconds used by the process and by its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:15]) * TICK


def total(pids: Iterable[int]) -> float:
    """Microseconds used by all of these that still run."""
    used = 0.0
    for pid in pids:
        try:
            used += cpu_of(pid)
        except FileNotFoundError:
            continue
    return used
