"""Certificates: the host makes the key and asks, the controller decides and signs, the host installs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ansible.plugins.action import ActionBase

from mirrorforce import sealing
from mirrorforce.pki import Authority, Wish, reason_to_renew, sign, wants_new_key, wish


class ActionModule(ActionBase):
    """Action plugin of `mirrorforce.estate.certificates`.

    One round trip where every certificate is good; two more where one has to be made.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look, decide, and where needed ask, sign and install."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        arguments = self._task.args
        authority = Authority(arguments["authority_certificate"], arguments["authority_key"])
        entries = {entry["name"]: entry for entry in arguments["certificates"]}
        wishes = {
            name: wish(
                entry,
                days=arguments["valid_days"],
                renew_before_days=arguments["renew_before_days"],
                renew_older_than=arguments.get("renew_older_than") or "",
            )
            for name, entry in entries.items()
        }

        def module(phase: str, **more: object) -> dict[str, Any]:
            files = [
                {key: entry[key] for key in ("name", "owner", "group", "key_mode") if key in entry}
                for entry in entries.values()
            ]
            told = {"phase": phase, "folder": arguments["folder"], "certificates": files, **more}
            answer: dict[str, Any] = self._execute_module(
                module_name="mirrorforce.estate.certificates", module_args=told, task_vars=variables
            )
            return answer

        trusted = arguments.get("trusted_certificates") or authority.certificate_pem
        looked = module("look", authority=trusted)
        if looked.get("failed"):
            return {**result, **looked}
        reasons = _reasons(looked["found"], wishes, authority)
        present = {name: each["certificate"] for name, each in looked["found"].items()}
        changes = [*looked["changes"], *(f"{name}: {reason}" for name, reason in reasons.items())]
        if reasons and not self._task.check_mode:
            new_keys = [name for name in reasons if wants_new_key(present[name], wishes[name])]
            asked = module("request", names=list(reasons), new_keys=new_keys)
            if asked.get("failed"):
                return {**result, **asked}
            now = dt.datetime.now(dt.UTC)
            signed = {
                name: sign(request, wishes[name], authority, now)
                for name, request in asked["requests"].items()
            }
            installed = module("install", signed=signed, new_keys=new_keys)
            if installed.get("failed"):
                return {**result, **installed}
            present |= signed
        result.update(changed=bool(changes), renewed=reasons, changes=changes)
        told = sealing.of_certificates(arguments["folder"], trusted, entries.values(), present)
        result["ansible_facts"] = sealing.declared(self._task.get_name(), self._task.get_path(), told)
        if changes:
            result["diff"] = {"before": "", "after": "".join(f"{change}\n" for change in changes)}
        return result


def _reasons(
    found: dict[str, dict[str, str]], wishes: dict[str, Wish], authority: Authority
) -> dict[str, str]:
    now = dt.datetime.now(dt.UTC)
    reasons = {
        name: reason_to_renew(
            found[name]["certificate"], found[name]["public_key"], wanted, authority.certificate_pem, now
        )
        for name, wanted in wishes.items()
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}
