"""Seal the host with what this run's tasks have told of it."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.action import ActionBase

from mirrorforce import sealing


class ActionModule(ActionBase):
    """Action plugin of `mirrorforce.estate.seal`."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Hand it to the program on the host; nothing in check mode."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        result["changed"] = False
        if self._task.check_mode:
            return result
        told = sealing.told(
            variables.get("ansible_facts", {}),
            variables.get("ansible_run_tags", []),
            variables.get("ansible_skip_tags", []),
        )
        done = self._execute_module(
            module_name="mirrorforce.estate.seal",
            module_args={"folder": self._task.args["folder"], "told": json.dumps(told)},
            task_vars=variables,
        )
        return {**result, **done, "changed": False}
