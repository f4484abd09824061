"""What can go wrong before or while the stack runs, as one sentence for the person at the terminal."""

from __future__ import annotations


class LocalError(Exception):
    """The stack cannot start or go on; the message is one clear sentence, and the command exits non-zero."""
