"""The variables of the Ansible roles, from their argument_specs and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from mirrorforce.workspace import ROOT
from toolchain.reference.markdown import code, link, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER = ROOT / "roles"
SOURCE = "roles/*/meta/argument_specs.yml and roles/*/defaults/main.yml"
INTRODUCTION = (
    "What hosts are converged with. Mirrorforce gives each host what its roles require, from the estate file "
    "and the estate's secrets (`mirrorforce/role_variables.py`); nobody writes these by hand. The rest has a "
    "default. What is marked secret comes from the estate's encrypted secrets."
)


class Option(NamedTuple):
    """A variable of a role, or a field of one, by its dotted name; `default` None: it has none."""

    name: str
    specification: Mapping[str, Any]
    default: object


def names() -> list[str]:
    """Every role there is."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def specification(role: str) -> Mapping[str, Any]:
    """What a role says of its variables."""
    found: Mapping[str, Any] = _yaml(FOLDER / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]
    return found


def defaults(role: str) -> Mapping[str, Any]:
    """The defaults that a role sets."""
    found: Mapping[str, Any] = _yaml(FOLDER / role / "defaults" / "main.yml") or {}
    return found


def options(role: str) -> Iterator[Option]:
    """A role's variables, each followed by the fields within it."""
    yield from _options(specification(role)["options"], defaults(role))


def sections() -> Iterator[str]:
    """A section for each role."""
    yield INTRODUCTION
    yield "\n".join(f"- {link(role)}: {specification(role)['short_description']}" for role in names())
    for role in names():
        head = ("variable", "type", "default", "meaning")
        text = f"{specification(role)['short_description']}."
        yield f"## {role}\n\n{text}\n\n{table(head, map(_cells, options(role)))}"


def _options(
    specifications: Mapping[str, Any], known: Mapping[str, Any], prefix: str = ""
) -> Iterator[Option]:
    for name, one in specifications.items():
        yield Option(f"{prefix}{name}", one, known.get(name, one.get("default")))
        inner = "[]." if one["type"] == "list" else "."
        yield from _options(one.get("options", {}), {}, f"{prefix}{name}{inner}")


def _cells(option: Option) -> tuple[str, str, str, str]:
    one = option.specification
    kind = f"list of {one['elements']}" if one["type"] == "list" else one["type"]
    choices = f": {', '.join(map(code, one['choices']))}" if "choices" in one else ""
    secret = ", secret" if one.get("no_log") else ""
    default = "required" if one.get("required") else "" if option.default is None else code(option.default)
    return code(option.name), f"{kind}{choices}{secret}", default, one["description"]


def _yaml(path: Path) -> Any:  # noqa: ANN401  (what YAML holds has no narrower type)
    return yaml.safe_load(path.read_text(encoding="utf-8"))
