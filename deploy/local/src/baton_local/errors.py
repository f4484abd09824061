"""Errors before or while the stack runs, as one sentence for the person at the terminal."""

from __future__ import annotations


class LocalError(Exception):
    """The stack cannot start or continue; the message is one sentence, and the command exits non-zero."""
