"""Run the module, and tell what it declares to the host's seal."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from mirrorforce import sealing


class ActionModule(ActionBase):
    """Action plugin of `mirrorforce.estate.services`."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        result.update(
            self._execute_module(
                module_name="mirrorforce.estate.services", module_args=self._task.args, task_vars=variables
            )
        )
        result["ansible_facts"] = sealing.declared(
            self._task.get_name(), self._task.get_path(), sealing.of_units(self._task.args["units"])
        )
        return result
