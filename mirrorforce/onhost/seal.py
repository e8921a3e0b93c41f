"""A host's seal: what was declared here when it was last converged, and whether it is still so.

The roles' modules report what they were told to bring about; the end of a converge keeps that on the host,
readable by root alone, together with what nobody declared but was there the first time: accounts, and files
in places from which things are started. Runs on hosts as root, standard library only:

    python3 -m mirrorforce.onhost.seal write < {"full": true, "tasks": {...}}
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost import seal_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEAL = Path("/var/lib/mirrorforce/seal.json")
VERSION = 1
_RUNNING = ("active", "reloading", "activating")
_AT_BOOT = ("enabled", "static", "generated", "indirect", "alias")
_FIRST_PERSON = 1000
"""User identities from here on are people's: a package makes smaller ones (Debian policy, 9.2.2)."""

Document = dict[str, Any]


def made(previous: Mapping[str, Any] | None, told: Mapping[str, Any], seen: Document, now: float) -> Document:
    """The new seal. Pure.

    What was declared is what the tasks of this run told; those of a run of some roles only take the place of
    their own. What nobody declared stays as it was the first time: a second converge blesses nothing that
    came in between. Accounts come with packages, so then those of services are taken up.
    """
    tasks = dict(told["tasks"])
    if previous is not None and not told["full"]:
        tasks = {**previous["tasks"], **tasks}
    baseline = previous["baseline"] if previous else None
    names = sorted(seen["packages"])
    if baseline is None:
        declared = {path for task in tasks.values() for path in task.get("files", {})}
        foreign = {path: kept for path, kept in seen["foreign"].items() if path not in declared}
        accounts, held = seen["accounts"], seen["held"]
    else:
        came = set(names) - set(baseline["packages"])
        owners = {file.get("owner") for task in tasks.values() for file in task.get("files", {}).values()}
        new = {
            name: account
            for name, account in seen["accounts"].items()
            if name not in baseline["accounts"]
            and (name in owners or (came and account["uid"] < _FIRST_PERSON))
        }
        accounts = {**baseline["accounts"], **new}
        accounts = {name: account for name, account in accounts.items() if name in seen["accounts"]}
        foreign = {path: kept for path, kept in baseline["foreign"].items() if path in seen["foreign"]}
        held = baseline["held"]
    installed = {name for task in tasks.values() for name in task.get("packages", ())} & set(names)
    return {
        "version": VERSION,
        "sealed": now,
        "tasks": tasks,
        "versions": {name: seen["packages"][name] for name in sorted(installed)},
        "baseline": {"packages": names, "accounts": accounts, "foreign": foreign, "held": held},
    }


def differences(seal: Mapping[str, Any], seen: Mapping[str, Any]) -> list[Document]:
    """How what is seen differs from the seal. Pure. Each with kind, item, declared, found, task, place."""
    found: list[Document] = []
    for task in seal["tasks"].values():
        origin = {"task": task["task"], "place": task["place"]}
        found += [{**one, **origin} for one in _of_task(task, seen)]
    nobody = {"task": "", "place": ""}
    found += [{**one, **nobody} for one in _of_packages(seal, seen)]
    found += [{**one, **nobody} for one in _of_accounts(seal["baseline"]["accounts"], seen["accounts"])]
    found += [{**one, **nobody} for one in _of_foreign(seal, seen)]
    return found


def _of_task(task: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Document]:
    for path, wanted in task.get("files", {}).items():
        if words := _file_words(wanted, seen["files"].get(path)):
            yield _difference("file", path, *words, secret=wanted.get("secret", False))
    for name, wanted in task.get("units", {}).items():
        if words := _unit_words(wanted, seen["units"].get(name, {}), seen["holds"].get(name, True)):
            yield _difference("unit", name, *words)
    for name in task.get("packages", ()):
        if name not in seen["packages"]:
            yield _difference("package", f"package {name}", "installed", "not installed")
    for name, value in task.get("settings", {}).items():
        shown = seen["settings"].get(name)
        if shown is not None and shown.split() != str(value).split():
            yield _difference("setting", name, str(value), shown)


def _difference(kind: str, item: str, declared: str, found: str, **more: object) -> Document:
    return {"kind": kind, "item": item, "declared": declared, "found": found, **more}


def _file_words(wanted: Mapping[str, Any], shown: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """What is declared of a file and what it is, in words, of that alone which differs."""
    kind = wanted["kind"]
    if shown is None or shown["kind"] != kind:
        is_kind = "absent" if shown is None else shown["kind"]
        return None if is_kind == kind else (kind, is_kind)
    declared, found = [], []
    if wanted.get("sha256") and shown.get("sha256") != wanted["sha256"]:
        declared.append(f"content {wanted['sha256'][:12]}")
        found.append(f"content {str(shown.get('sha256'))[:12]}, changed {_moment(shown['changed'])}")
    for name in ("mode", "owner", "group"):
        if wanted.get(name) and shown[name] != wanted[name]:
            declared.append(f"{name} {wanted[name]}")
            found.append(f"{name} {shown[name]}")
    return (", ".join(declared), ", ".join(found)) if declared else None


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _unit_words(wanted: str, shown: Mapping[str, str], holds: bool) -> tuple[str, str] | None:  # noqa: FBT001
    running = shown.get("ActiveState") in _RUNNING
    at_boot = shown.get("UnitFileState") in _AT_BOOT
    is_now = f"{shown.get('ActiveState', 'not there')}, {shown.get('UnitFileState') or 'no unit file'}"
    if wanted == "stopped":
        return ("stopped", is_now) if running else None
    if not running or not at_boot:
        return "running and started at boot", is_now
    return None if holds else ("what it loaded is in force", "something else is in force")


def _of_packages(seal: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Document]:
    for name, version in seal["versions"].items():
        shown = seen["packages"].get(name)
        if shown is not None and shown != version:
            yield _difference("version", f"package {name}", version, shown)
    for name in sorted(set(seen["held"]) - set(seal["baseline"]["held"])):
        yield _difference("hold", f"package {name}", "not held", "held: it gets no security updates")


def _of_accounts(
    known: Mapping[str, Mapping[str, Any]], seen: Mapping[str, Mapping[str, Any]]
) -> Iterator[Document]:
    for name, account in seen.items():
        before = known.get(name)
        if before is None:
            yield _difference("account", f"account {name}", "no such account", _account_words(account))
            continue
        changed = sorted(key for key in account if account[key] != before.get(key))
        if changed:
            yield _difference(
                "account changed",
                f"account {name}",
                ", ".join(f"{key} {before.get(key)}" for key in changed),
                ", ".join(f"{key} {account[key]}" for key in changed),
            )
    for name in sorted(set(known) - set(seen)):
        yield _difference("account changed", f"account {name}", "there", "gone")


def _account_words(account: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in account.items())


def _of_foreign(seal: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Document]:
    declared = {path for task in seal["tasks"].values() for path in task.get("files", {})}
    known = seal["baseline"]["foreign"]
    for path, digest in seen["foreign"].items():
        if path in declared:
            continue
        if path not in known:
            yield _difference("foreign", path, "no such file: no task and no package brought it", "is there")
        elif known[path] != digest:
            yield _difference(
                "foreign changed",
                path,
                f"as it was when the host was sealed, {known[path][:12]}",
                digest[:12],
            )


def broken(arguments: Mapping[str, Any]) -> Document:
    """The probe's section: how this host differs from its seal, and when it was sealed."""
    seal = read(Path(arguments.get("seal", SEAL)))
    if seal is None:
        return {"sealed": None, "differences": []}
    return {"sealed": seal["sealed"], "differences": differences(seal, seal_view.seen(seal["tasks"]))}


def read(path: Path = SEAL) -> Document | None:
    """The seal of this host; None where it has none of this version."""
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if document.get("version") == VERSION else None


def write(told: Mapping[str, Any], path: Path = SEAL) -> None:
    """Seal this host: for root alone, and whole or not at all."""
    document = made(read(path), told, seal_view.seen(told["tasks"]), time.time())
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        json.dump(document, file, sort_keys=True)
    fresh.replace(path)


if __name__ == "__main__":
    if sys.argv[1:] != ["write"]:
        sys.exit("usage: python3 -m mirrorforce.onhost.seal write, with what was declared on stdin")
    write(json.load(sys.stdin))
