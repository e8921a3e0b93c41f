"""What two trees declare for hosts, compared: roles, files, variables, settings, restarts. Pure.

What is alike on several hosts is told once, with all of their names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, Literal

from mirrorforce.previews import weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mirrorforce.previews.declared import File, Host
    from mirrorforce.previews.weights import Judgement

    Hosts = Mapping[str, Host]

Kind = Literal["added", "changed", "removed"]
SETTINGS = "postgres_dynamic_configuration"
_UNIT_FILES = "/etc/systemd/system"
_CONTEXT = 2
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that hosts would get, lose, or have otherwise; `diff` as `diff -u` shows it."""

    path: str
    role: str
    change: Kind
    hosts: tuple[str, ...]
    diff: str


@dataclass(frozen=True, slots=True)
class VariableChange:
    """A variable of roles that hosts would get, lose, or have otherwise."""

    name: str
    change: Kind
    hosts: tuple[str, ...]
    diff: str


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that a cell shares through etcd; None: it is not set."""

    cell: str
    name: str
    before: str | None
    after: str | None
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Restart:
    """A unit that would restart on hosts, because of these files."""

    unit: str
    hosts: tuple[str, ...]
    because: tuple[str, ...]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class RoleChange:
    """A role whose own files, or whose variables, change; the hosts that it reaches."""

    role: str
    files: tuple[str, ...]
    variables: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that changes in hosts' configuration. `gaps`: what could not be told."""

    roles: tuple[RoleChange, ...] = ()
    code: tuple[str, ...] = ()
    files: tuple[FileChange, ...] = ()
    variables: tuple[VariableChange, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    restarts: tuple[Restart, ...] = ()
    packages: tuple[tuple[str, Kind, tuple[str, ...]], ...] = ()
    new_hosts: tuple[str, ...] = ()
    gone_hosts: tuple[str, ...] = ()
    gaps: tuple[str, ...] = field(default=())


def compare(before: Hosts, after: Hosts, code: Mapping[str, Kind]) -> Comparison:
    """Compare what two trees declare.

    `code`: changed files of what converges hosts, relative to the tree. A host that is new or gone is told as
    such, and none of its files.
    """
    both = [name for name in after if name in before]
    files = tuple(_files(before, after, both))
    variables = tuple(_variables(before, after, both))
    return Comparison(
        roles=tuple(_roles(after, code, variables)),
        code=tuple(path for path in code if not path.startswith("roles/")),
        files=files,
        variables=variables,
        settings=tuple(_settings(before, after)),
        restarts=tuple(_restarts(before, after, both)),
        packages=tuple(_packages(before, after, both)),
        new_hosts=tuple(name for name in after if name not in before),
        gone_hosts=tuple(name for name in before if name not in after),
        gaps=tuple(
            dict.fromkeys(
                f"{name}: {reason}"
                for tree in (before, after)
                for name, host in tree.items()
                for reason in host["failed"]
            )
        ),
    )


def _files(before: Hosts, after: Hosts, names: Sequence[str]) -> Iterator[FileChange]:
    together: dict[tuple[str, str, Kind, str], list[str]] = {}
    for name in names:
        old, new = before[name]["files"], after[name]["files"]
        for path in dict.fromkeys((*old, *new)):
            was, will = old.get(path), new.get(path)
            if was != will and (diff := _file_diff(path, was, will)):
                role = (will or was or {"role": ""})["role"]
                together.setdefault((path, role, _kind(was, will), diff), []).append(name)
    for (path, role, kind, diff), hosts in together.items():
        yield FileChange(path, role, kind, tuple(hosts), diff)


def _file_diff(path: str, was: File | None, will: File | None) -> str:
    """The difference, of owner and mode too; '' where only the role that brings it is another one."""
    return _diff(path, _text(was), _text(will))


def _text(file: File | None) -> str:
    if file is None:
        return ""
    head = f"# {file['owner']}:{file['group']} {file['mode'] or 'default mode'}\n"
    return head + (file["content"] or "")


def _variables(before: Hosts, after: Hosts, names: Sequence[str]) -> Iterator[VariableChange]:
    together: dict[tuple[str, Kind, str], list[str]] = {}
    for name in names:
        old, new = before[name]["variables"], after[name]["variables"]
        for variable in dict.fromkeys((*old, *new)):
            was, will = old.get(variable, _ABSENT), new.get(variable, _ABSENT)
            if was == will:
                continue
            kind: Kind = "added" if was is _ABSENT else "removed" if will is _ABSENT else "changed"
            diff = _diff(variable, _plain(was), _plain(will))
            together.setdefault((variable, kind, diff), []).append(name)
    for (variable, kind, diff), hosts in together.items():
        yield VariableChange(variable, kind, tuple(hosts), diff)


def _plain(value: object) -> str:
    return "" if value is _ABSENT else json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _settings(before: Hosts, after: Hosts) -> Iterator[SettingChange]:
    """By cell: every member of a cell is told the same."""
    old, new = _by_cell(before), _by_cell(after)
    for cell in new:
        if cell not in old:
            continue
        was, will = _flat(old[cell]), _flat(new[cell])
        for path in dict.fromkeys((*was, *will)):
            if was.get(path) != will.get(path):
                judgement = weights.of_setting(path.rpartition(".")[2])
                yield SettingChange(cell, path, was.get(path), will.get(path), judgement)


def _by_cell(hosts: Hosts) -> dict[str, Any]:
    return {
        host["cell"]: host["variables"][SETTINGS]
        for host in hosts.values()
        if host["cell"] and SETTINGS in host["variables"]
    }


def _flat(value: object, path: str = "") -> dict[str, str]:
    """Settings by their paths: those of folders below them by dotted names, all others as JSON."""
    if not isinstance(value, dict):
        return {path: json.dumps(value, ensure_ascii=False)}
    found: dict[str, str] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{path}.{key}" if path else str(key))
    return found


def _restarts(before: Hosts, after: Hosts, names: Sequence[str]) -> Iterator[Restart]:
    together: dict[tuple[str, tuple[str, ...], bool], list[str]] = {}
    for name in names:
        old, new = before[name]["files"], after[name]["files"]
        changed = [
            path
            for path in dict.fromkeys((*old, *new))
            if _text(old.get(path)) != _text(new.get(path))
            and (old.get(path) or new[path])["content"] is not None
        ]
        for unit, told in after[name]["units"].items():
            because = tuple(path for path in changed if path in told["restart_on"] or _is_of_unit(path, unit))
            if because:
                together.setdefault((unit, because, told["deferred"]), []).append(name)
    for (unit, because, deferred), hosts in together.items():
        yield Restart(unit, tuple(hosts), because, weights.of_unit(unit, deferred=deferred))


def _is_of_unit(path: str, unit: str) -> bool:
    """Whether systemd reads the unit from this file: `mirrorforce.estate.services` restarts it then."""
    return path == f"{_UNIT_FILES}/{unit}" or path.startswith(f"{_UNIT_FILES}/{unit}.d/")


def _packages(
    before: Hosts, after: Hosts, names: Sequence[str]
) -> Iterator[tuple[str, Kind, tuple[str, ...]]]:
    together: dict[tuple[str, Kind], list[str]] = {}
    for name in names:
        old, new = set(before[name]["packages"]), set(after[name]["packages"])
        for package in sorted(old ^ new):
            kind: Kind = "added" if package in new else "removed"
            together.setdefault((package, kind), []).append(name)
    for (package, kind), hosts in together.items():
        yield package, kind, tuple(hosts)


def _roles(
    after: Hosts, code: Mapping[str, Kind], variables: Iterable[VariableChange]
) -> Iterator[RoleChange]:
    own: dict[str, list[str]] = {}
    for path in code:
        if path.startswith("roles/"):
            role, _, rest = path.removeprefix("roles/").partition("/")
            own.setdefault(role, []).append(rest)
    known = sorted(roles := {each["role"] for host in after.values() for each in _declared(host)}, key=len)
    changed: dict[str, dict[str, None]] = {}
    reached: dict[str, dict[str, None]] = {}
    for variable in variables:
        role = next((each for each in reversed(known) if variable.name.startswith(f"{each}_")), "")
        if role:
            changed.setdefault(role, {})[variable.name] = None
            reached.setdefault(role, {}).update(dict.fromkeys(variable.hosts))
    for role in sorted({*own, *changed}):
        hosts = [
            name
            for name, host in after.items()
            if (role in own and _has(host, role, roles)) or name in reached.get(role, {})
        ]
        yield RoleChange(role, tuple(own.get(role, ())), tuple(changed.get(role, ())), tuple(hosts))


def _declared(host: Host) -> Iterator[Mapping[str, Any]]:
    yield from host["files"].values()
    yield from host["units"].values()


def _has(host: Host, role: str, known: set[str]) -> bool:
    """Whether a host has a role: by what the role brings, else by variables that bear its name."""
    if role in known:
        return any(each["role"] == role for each in _declared(host))
    return any(name.startswith(f"{role}_") for name in host["variables"])


def _kind(was: object, will: object) -> Kind:
    return "added" if was is None else "removed" if will is None else "changed"


def _diff(name: str, was: str, will: str) -> str:
    lines = unified_diff(was.splitlines(), will.splitlines(), name, name, n=_CONTEXT, lineterm="")
    return "\n".join(lines)
