"""Render and collect files on the controller, hand them all to the module in one round trip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from mirrorforce import sealing

SOURCES = ("template", "content", "src", "state")


class ActionModule(ActionBase):
    """Action plugin of `mirrorforce.estate.files`."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Resolve every entry to plain content, then run the module once."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        entries = [
            resolved
            for entry in self._task.args.get("files", [])
            for resolved in self._resolve(dict(entry), variables)
        ]
        facts = sealing.declared(self._task.get_name(), self._task.get_path(), sealing.of_files(entries))
        result.update(
            self._execute_module(
                module_name="mirrorforce.estate.files",
                module_args={"files": [*map(_for_module, entries)], "marker": self._task.args.get("marker")},
                task_vars=variables,
            )
        )
        result["ansible_facts"] = facts
        return result

    def _resolve(self, entry: dict[str, Any], variables: dict[str, Any]) -> list[dict[str, Any]]:
        given = [source for source in SOURCES if entry.get(source) is not None]
        if len(given) != 1 or not entry.get("dest"):
            raise AnsibleActionFail(
                f"each file needs dest and exactly one of {', '.join(SOURCES)}: "
                f"{entry.get('dest', 'no dest')} has {', '.join(given) or 'none'}"
            )
        if "template" in entry:
            entry["content"] = self._render(entry.pop("template"), entry["dest"], variables)
        elif "src" in entry:
            return self._collect(entry)
        return [entry]

    def _collect(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """A file as it is, or the Python files of a folder."""
        source = Path(entry.pop("src"))
        if not source.is_dir():
            found = source if source.is_file() else Path(self._find_needle("files", str(source)))
            return [{**entry, "content": found.read_text(encoding="utf-8")}]
        return [
            {**entry, "dest": f"{entry['dest']}/{found.name}", "content": found.read_text(encoding="utf-8")}
            for found in sorted(source.glob("*.py"))
        ]

    def _render(self, name: str, dest: str, variables: dict[str, Any]) -> str:
        source = self._find_needle("templates", name)
        templar = self._templar.copy_with_new_env(
            searchpath=[str(Path(source).parent)], available_variables=variables
        )
        text = templar.template(
            trust_as_template(self._loader.get_text_file_contents(source)),
            overrides={"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True},
        )
        if not isinstance(text, str):
            raise AnsibleActionFail(f"{name} for {dest} does not give text")
        return text


def _for_module(entry: dict[str, Any]) -> dict[str, Any]:
    """A secret's text goes under a name that the module never logs and never shows."""
    if entry.pop("secret", False):
        entry["secret_content"] = entry.pop("content")
    return entry
