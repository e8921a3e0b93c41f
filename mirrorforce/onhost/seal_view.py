"""What a seal is held against, looked up on this host: files, units, packages, accounts, foreign files.

Runs on hosts as root. Standard library only. Everything at once takes a tenth of a second.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost import FOLDER
from mirrorforce.onhost.commands import output_of
from mirrorforce.onhost.facts_system import unit_states

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WATCHED = (
    "/etc/apt/sources.list.d",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.monthly",
    "/etc/cron.weekly",
    "/etc/gdnsd",
    "/etc/ld.so.preload",
    "/etc/mirrorforce",
    "/etc/patroni",
    "/etc/profile.d",
    "/etc/rc.local",
    "/etc/ssh/sshd_config.d",
    "/etc/sudoers.d",
    "/etc/sysctl.d",
    "/etc/systemd/system",
    "/etc/unbound",
    "/root/.ssh",
    "/usr/local/bin",
    FOLDER,
    "/usr/local/sbin",
    "/var/spool/cron",
)
"""Places from which something is started, or whose files let somebody in: what lies there is somebody's."""

_IGNORED = {"__pycache__"}
_GROUPS_OF_POWER = ("root", "sudo", "adm", "shadow", "disk")
_DPKG = Path("/var/lib/dpkg/info")
_SECONDS = 10.0

Document = dict[str, Any]


def seen(tasks: Mapping[str, Mapping[str, Any]]) -> Document:
    """What this host shows of everything that the tasks declare, and of what nobody declares."""
    of_tasks = list(tasks.values())
    files = {path for task in of_tasks for path in task.get("files", {})}
    units = sorted({name for task in of_tasks for name in task.get("units", {})})
    commands = {name: line for task in of_tasks for name, line in task.get("holds", {}).items()}
    settings = {name for task in of_tasks for name in task.get("settings", {})}
    packages, held = _packages()
    return {
        "files": {path: shown(Path(path)) for path in sorted(files)},
        "units": unit_states(units) if units else {},
        "holds": {name: _holds(line) for name, line in commands.items()},
        "settings": {name: value for name in sorted(settings) if (value := _setting(name)) is not None},
        "packages": packages,
        "held": held,
        "accounts": _accounts(),
        "foreign": dict(_foreign()),
    }


def shown(path: Path) -> Document | None:
    """What lies at a path, a link itself and not what it leads to; None: nothing."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = _kind(status.st_mode)
    document: Document = {
        "kind": kind,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": _owner(status.st_uid),
        "group": _group(status.st_gid),
        "changed": status.st_ctime,
    }
    if kind == "file":
        document["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return document


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "link"
    return "directory" if stat.S_ISDIR(mode) else "other"


def _owner(identity: int) -> str:
    try:
        return pwd.getpwuid(identity).pw_name
    except KeyError:
        return str(identity)


def _group(identity: int) -> str:
    try:
        return grp.getgrgid(identity).gr_name
    except KeyError:
        return str(identity)


def _holds(line: Sequence[str]) -> bool:
    try:
        done = subprocess.run(list(line), capture_output=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _setting(name: str) -> str | None:
    """A kernel setting; None where this host's kernel has none of that name, or does not show it."""
    try:
        return Path("/proc/sys", *name.split(".")).read_text(encoding="ascii").strip()
    except OSError:
        return None


def _packages() -> tuple[dict[str, str], list[str]]:
    """Version of each installed package; those on hold. '' and [] where dpkg does not answer."""
    shown = output_of(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Status} ${Status}\n"],
        timeout=_SECONDS,
    )
    lines = [line.split() for line in shown.splitlines()]
    installed = {words[0]: words[1] for words in lines if len(words) > 3 and words[2] == "installed"}  # noqa: PLR2004
    return installed, sorted(words[0] for words in lines if len(words) > 3 and words[3] == "hold")  # noqa: PLR2004


def _accounts() -> dict[str, Document]:
    """Every account that could be used: identity, shell, whether it has a password, groups of power."""
    hashes = dict(_shadow())
    powers = {
        name: set(_members(name)) for name in _GROUPS_OF_POWER if name in {g.gr_name for g in grp.getgrall()}
    }
    return {
        entry.pw_name: {
            "uid": entry.pw_uid,
            "shell": entry.pw_shell,
            "password": hashes.get(entry.pw_name, "none"),
            "powers": [name for name, members in powers.items() if entry.pw_name in members],
        }
        for entry in pwd.getpwall()
    }


def _members(group: str) -> list[str]:
    return list(grp.getgrnam(group).gr_mem)


def _shadow() -> Iterator[tuple[str, str]]:
    """Whether a password opens the account; never the hash itself."""
    for line in Path("/etc/shadow").read_text(encoding="utf-8").splitlines():
        name, kept, *_ = line.split(":")
        yield name, "empty" if not kept else "none" if kept[0] in "*!" else "set"


def _foreign() -> Iterator[tuple[str, str]]:
    """Files in watched places, and keys that open an account, which no package brought; with a digest."""
    of_packages = _of_packages()
    keys = [Path(entry.pw_dir, ".ssh", "authorized_keys") for entry in pwd.getpwall()]
    for place in (*map(Path, WATCHED), *keys):
        for path in files_below(place):
            if str(path) not in of_packages:
                yield str(path), hashlib.sha256(path.read_bytes()).hexdigest()


def files_below(place: Path) -> Iterator[Path]:
    """Plain files; a link to one is what enables a unit, which the unit's own state tells."""
    if place.is_symlink() or not place.exists():
        return
    if place.is_file():
        yield place
        return
    for folder, below, names in os.walk(place):
        below[:] = sorted(set(below) - _IGNORED)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _of_packages() -> set[str]:
    """What dpkg says that packages brought, in the watched places."""
    found: set[str] = set()
    for listed in _DPKG.glob("*.list"):
        text = listed.read_text(encoding="utf-8", errors="replace")
        found.update(line for line in text.splitlines() if line.startswith(WATCHED))
    return found
