"""What a task declares on a host, as the host's seal keeps it: from the arguments that a module was given.

Action plugins hand it on as facts of the host, which last until the end of the playbook, whatever the task
hides from logs; the last play seals the host with all of them (`mirrorforce.onhost.seal`). Pure.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "mirrorforce_sealed_"
"""How the facts are called that hold it."""

SYSCTL_FOLDER = "/etc/sysctl.d/"
_MODES = {"file": "0644", "directory": "0755"}

Entry = dict[str, Any]


def declared(name: str, path: str, what: Mapping[str, object]) -> dict[str, Entry]:
    """The facts of one task. `name`: Ansible's name of it. `path`: its file and line on this machine.

    A task that is run several times, as in a loop, is told apart by what it declares.
    """
    task = name.replace(" : ", ": ", 1)
    place = path.removeprefix(f"{ROOT}/")
    parts = sorted(
        key for value in what.values() for key in (value if isinstance(value, dict | list) else ())
    )
    digest = hashlib.sha256(json.dumps([place, parts]).encode()).hexdigest()[:16]
    return {PREFIX + digest: {"task": task, "place": place, **what}}


def told(facts: Mapping[str, Any], run_tags: Iterable[str], skip_tags: Iterable[str]) -> Entry:
    """What the host's seal is made of, at the end of a run with these tags."""
    return {
        "full": list(run_tags) == ["all"] and not list(skip_tags),
        "tasks": {key: value for key, value in sorted(facts.items()) if key.startswith(PREFIX)},
    }


def of_files(entries: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    """Files and folders as module `files` takes them, content resolved; kernel settings among them too."""
    files: dict[str, Entry] = {}
    settings: dict[str, str] = {}
    for entry in entries:
        content = entry.get("content")
        kind = "file" if content is not None else entry["state"]
        path = str(entry["dest"])
        files[path] = {"kind": kind}
        if kind == "absent":
            continue
        files[path] |= {
            "mode": str(entry.get("mode") or _MODES[kind]),
            "owner": entry.get("owner") or "root",
            "group": entry.get("group") or "root",
        }
        if content is not None:
            files[path] |= {
                "sha256": hashlib.sha256(content.encode()).hexdigest(),
                "secret": bool(entry.get("secret")),
            }
            if path.startswith(SYSCTL_FOLDER):
                settings |= _settings(content)
    return {"files": files, "settings": settings}


def of_units(units: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    """Units as module `services` takes them, and the commands that tell whether they still hold."""
    known = list(units)
    holds = {unit["name"]: list(unit["holds"]) for unit in known if unit.get("holds")}
    return {"units": {unit["name"]: unit.get("state") or "started" for unit in known}, "holds": holds}


def of_packages(names: Iterable[str]) -> dict[str, object]:
    """Packages as module `packages` takes them."""
    return {"packages": list(names)}


def of_certificates(
    folder: str,
    authority: str,
    entries: Iterable[Mapping[str, Any]],
    certificates: Mapping[str, str],
) -> dict[str, object]:
    """The authority's certificate, and each key and certificate (PEM, by their names)."""
    files: dict[str, Entry] = {f"{folder}/ca.crt": _pem(authority)}
    for entry in entries:
        name = entry["name"]
        files[f"{folder}/{name}.key"] = {
            "kind": "file",
            "mode": entry.get("key_mode") or "0600",
            "owner": entry.get("owner") or "root",
            "group": entry.get("group") or "root",
            "secret": True,
        }
        if certificates.get(name):
            files[f"{folder}/{name}.crt"] = _pem(certificates[name])
    return {"files": files}


def _pem(text: str) -> Entry:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"kind": "file", "mode": "0644", "owner": "root", "group": "root", "sha256": digest}


def _settings(text: str) -> dict[str, str]:
    """The settings in a file of sysctl.d(5)."""
    lines = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith(("#", ";")))
    return {name.strip(): value.strip() for name, equals, value in lines if equals}
