"""What a tree of the project declares for each host: variables of roles, files, packages, units.

A program of its own, `python -P declared.py ENV` with a tree as folder and as PYTHONPATH. It reads the roles
of that tree and asks that tree's own code for the variables, so that a change of either is seen for what it
does; only the reading of roles is this version's, for both trees alike. Nothing is asked of a host, and no
secret is read: where one would stand, its name stands, in angle brackets.

What it prints is one JSON document: hosts by name, each with what `Host` below says.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible.template import Templar

MODULES = "mirrorforce.estate."
_FILES, _PACKAGES, _SERVICES = (f"{MODULES}{name}" for name in ("files", "packages", "services"))
_IMPORT = "ansible.builtin.import_tasks"
_DEVICE = "<device>"
"""A volume's device, which a platform tells once the volume is there."""


class File(TypedDict):
    """A file as a role puts it on a host; `content` of a folder is its mode and owner alone."""

    role: str
    mode: str
    owner: str
    group: str
    content: str | None


class Unit(TypedDict):
    """A unit, and the changes of files after which it is restarted or reloaded."""

    role: str
    restart_on: list[str]
    reload_on: list[str]
    deferred: bool


class Host(TypedDict):
    """What is declared for one host; `failed` says what could not be told."""

    site: str
    role: str
    cell: str | None
    variables: dict[str, Any]
    files: dict[str, File]
    packages: list[str]
    units: dict[str, Unit]
    failed: list[str]


def named(value: object, path: str) -> Any:  # noqa: ANN401 - a value of the same type
    """A value with each text in it replaced by its name: nothing of a secret is left."""
    if isinstance(value, str):
        return f"<{path}>"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.init}
        return dataclasses.replace(
            value, **{name: named(inner, f"{path}.{name}") for name, inner in fields.items()}
        )
    if isinstance(value, Mapping):
        return {key: named(inner, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(named(inner, f"{path}.{index}") for index, inner in enumerate(value))
    return value


def of_tree(tree: Path, env: str) -> dict[str, Host]:
    """What `tree` declares for the hosts of an environment. Its code has to be what is imported."""
    from mirrorforce import estate_file, placement, role_variables, secrets  # noqa: PLC0415 - the tree's own

    estate = estate_file.load(tree / "stacks" / f"{env}.yaml")
    hosts = placement.hosts(estate)
    known = named(secrets.generate(estate), "secrets")
    roles = _Roles(tree)
    found: dict[str, Host] = {}
    for host in hosts:
        variables = role_variables.for_host(estate, hosts, host, known)
        told: Host = {
            "site": host.site, "role": host.role, "cell": host.cell, "variables": variables,
            "files": {}, "packages": [], "units": {}, "failed": [],
        }  # fmt: skip
        attached = [
            {"name": volume.name, "mount": volume.mount, "device": _DEVICE}
            for volume in host.volumes
            if "volumes_sizes_mib" in variables
        ]
        own = variables | ({"volumes_attached": attached} if attached else {})
        roles.apply(told, own | {"inventory_hostname": host.name})
        found[host.name] = told
    return found


class _Roles:
    """The roles of a tree, as its playbook gives them to hosts."""

    def __init__(self, tree: Path) -> None:
        from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415 - half a second

        self._tree = tree
        self._loader = DataLoader()
        self._plays = self._read(tree / "playbooks" / "site.yml")

    def apply(self, host: Host, variables: Mapping[str, Any]) -> None:
        """Add to `host` what its roles declare."""
        for play in self._plays:
            if play["hosts"] not in ("all", host["role"]):
                continue
            for role in play.get("roles", ()):
                self._role(host, str(role["role"] if isinstance(role, Mapping) else role), variables)

    def _read(self, file: Path) -> Any:  # noqa: ANN401 - YAML
        return self._loader.load_from_file(str(file), trusted_as_template=True) if file.exists() else None

    def _role(self, host: Host, role: str, variables: Mapping[str, Any]) -> None:
        folder = self._tree / "roles" / role
        own = {
            **(self._read(folder / "defaults" / "main.yml") or {}),
            **variables,
            **(self._read(folder / "vars" / "main.yml") or {}),
            "playbook_dir": str(self._tree / "playbooks"),
            "role_path": str(folder),
        }
        for task in self._tasks(folder, "main.yml"):
            for told in self._rounds(host, role, task, own):
                _Task(host, role, folder, self._templar(told)).take(task)

    def _rounds(
        self, host: Host, role: str, task: Mapping[str, Any], own: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """The variables of each round of a task's loop; one round where it has none."""
        if "loop" not in task:
            yield own
            return
        try:
            items = self._templar(own).template(task["loop"])
        except Exception as fault:  # noqa: BLE001 - whatever a template raises is told, and stops nothing else
            host["failed"].append(_reason(role, task, fault))
            return
        for item in items:
            yield {**own, "item": item}

    def _tasks(self, folder: Path, name: str) -> Iterator[Mapping[str, Any]]:
        """The tasks of a role, those of imported files in their place."""
        for task in self._read(folder / "tasks" / name) or ():
            if _IMPORT in task:
                yield from self._tasks(folder, str(task[_IMPORT]))
            else:
                yield task

    def _templar(self, variables: Mapping[str, Any]) -> Templar:
        from ansible.template import Templar  # noqa: PLC0415 - as above

        return Templar(self._loader, variables=dict(variables))


@dataclasses.dataclass(frozen=True)
class _Task:
    """A task of a role on one host: what it declares goes to `host`."""

    host: Host
    role: str
    folder: Path
    templar: Templar

    def take(self, task: Mapping[str, Any]) -> None:
        """Add what a task of one of our modules declares; other tasks declare nothing that is told here."""
        takers = {_FILES: self._files, _PACKAGES: self._packages, _SERVICES: self._services}
        for module, taker in takers.items():
            if module not in task:
                continue
            try:
                if self._is_due(task):
                    taker(self.templar.template(task[module]))
            except Exception as fault:  # noqa: BLE001 - as above
                self.host["failed"].append(_reason(self.role, task, fault))

    def _is_due(self, task: Mapping[str, Any]) -> bool:
        when = task.get("when", True)
        conditions = when if isinstance(when, list) else [when]
        return all(
            condition if isinstance(condition, bool) else self.templar.evaluate_conditional(condition)
            for condition in conditions
        )

    def _packages(self, arguments: Mapping[str, Any]) -> None:
        self.host["packages"] = sorted({*self.host["packages"], *map(str, arguments["names"])})

    def _services(self, arguments: Mapping[str, Any]) -> None:
        for unit in arguments["units"]:
            self.host["units"][str(unit["name"])] = {
                "role": self.role,
                "restart_on": [str(path) for path in unit.get("restart_on", ())],
                "reload_on": [str(path) for path in unit.get("reload_on", ())],
                "deferred": bool(unit.get("defer_restart", False)),
            }

    def _files(self, arguments: Mapping[str, Any]) -> None:
        for entry in arguments["files"]:
            for dest, content in self._contents(entry):
                self.host["files"][dest] = {
                    "role": self.role,
                    "mode": str(entry.get("mode", "")),
                    "owner": str(entry.get("owner", "root")),
                    "group": str(entry.get("group", "root")),
                    "content": content,
                }

    def _contents(self, entry: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
        """Destinations and texts of an entry; as `mirrorforce.estate.files` reads it."""
        dest = str(entry["dest"])
        if "template" in entry:
            yield dest, self._render(str(entry["template"]))
        elif "src" in entry:
            source = Path(entry["src"])
            if source.is_dir():
                for file in sorted(source.glob("*.py")):
                    yield f"{dest}/{file.name}", file.read_text(encoding="utf-8")
            else:
                found = source if source.is_absolute() else self.folder / "files" / source
                yield dest, found.read_text(encoding="utf-8")
        else:
            yield dest, str(entry["content"]) if "content" in entry else None

    def _render(self, name: str) -> str:
        from ansible.template import trust_as_template  # noqa: PLC0415 - as above

        text = (self.folder / "templates" / name).read_text(encoding="utf-8")
        overrides = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
        return str(self.templar.template(trust_as_template(text), overrides=overrides))


def _reason(role: str, task: Mapping[str, Any], fault: Exception) -> str:
    words = " ".join(str(fault).split())
    return f"{role}: {task.get('name', 'a task')}: {words[:200]}"


if __name__ == "__main__":
    json.dump(of_tree(Path.cwd(), sys.argv[1]), sys.stdout, default=str)
