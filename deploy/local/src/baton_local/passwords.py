"""The passwords of the local database's roles: made once for a data folder, readable by its user only."""

from __future__ import annotations

import json
import os
import secrets
from hashlib import sha256
from pathlib import Path

from baton_local.errors import LocalError


class Passwords:
    """Kept in a file. Raises LocalError where it cannot be read or made."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._by_role: dict[str, str] = {}

    def of(self, role: str) -> str:
        """The role's password; of letters, digits, - and _ only, so that it needs quotes nowhere."""
        if not self._by_role:
            self._by_role = self._read()
        if role not in self._by_role:
            self._by_role[role] = secrets.token_urlsafe(24)
            self._write()
        return self._by_role[role]

    def mark(self, role: str) -> str:
        """Tells whether a password is still the same, without telling it."""
        return sha256(self.of(role).encode()).hexdigest()

    def _read(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.file.read_text()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise LocalError(f"{self.file} cannot be read: delete it, and new passwords are made.") from error

    def _write(self) -> None:
        incoming = self.file.with_suffix(".incoming")
        incoming.unlink(missing_ok=True)
        try:
            descriptor = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(self._by_role, file)
            incoming.replace(self.file)
        except OSError as error:
            raise LocalError(f"{self.file} cannot be written: {error.strerror}.") from error
