"""Install what is missing, and touch apt only where something is."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from mirrorforce import sealing


class ActionModule(ActionBase):
    """Action plugin of `mirrorforce.estate.packages`."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host what is missing; hand that to ansible.builtin.apt."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        result.update(
            self._execute_module(
                module_name="mirrorforce.estate.packages", module_args=self._task.args, task_vars=variables
            )
        )
        facts = sealing.declared(
            self._task.get_name(), self._task.get_path(), sealing.of_packages(self._task.args["names"])
        )
        result["ansible_facts"] = facts
        if result.get("failed") or not result.get("missing"):
            return result
        installed = self._execute_module(
            module_name="ansible.builtin.apt",
            module_args={
                "name": result["missing"],
                "update_cache": True,
                "cache_valid_time": 3600,
                "install_recommends": False,
            },
            task_vars=variables,
        )
        return {**installed, "missing": result["missing"], "ansible_facts": facts}
