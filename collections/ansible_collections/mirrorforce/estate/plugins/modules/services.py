"""Units of a role: enabled, running, and running with what is on disk now."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: services
short_description: Units enabled, running, and running with what is on disk now
description:
  - Brings several units to their declared state in one round trip.
  - A unit is restarted (or reloaded) when a file named for it is newer than its last start (or its last start
    or reload). A notification would be lost where a play fails between the change and the handler; the
    comparison cannot be.
  - systemd reads its units again where it says that it has to.
options:
  units:
    description: The units, in the order in which they are to start.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name with its suffix, such as V(etcd.service).
        type: str
        required: true
      state:
        description: Whether it runs and starts at boot, or neither.
        type: str
        choices: [started, stopped]
        default: started
      restart_on:
        description: Paths. Restart when one is newer than the last start.
        type: list
        elements: path
        default: []
      reload_on:
        description: Paths. Reload when one is newer than the last start or reload.
        type: list
        elements: path
        default: []
      holds:
        description:
          - A command that ends with 0 as long as what the unit did still holds; where it fails, the unit is
            restarted. For a unit that ends after it has done its work, which systemd calls active for ever.
        type: list
        elements: str
        default: []
      await_start:
        description: Wait until a start is over. Not for voters, none of which is ready alone.
        type: bool
        default: true
      defer_restart:
        description: Do not restart; name the unit in RV(restart_due) and leave it to a later task.
        type: bool
        default: false
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Run the service
  mirrorforce.estate.services:
    units:
      - {name: unbound.service, restart_on: [/etc/unbound/unbound.conf]}
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: always
  type: list
  elements: str
restart_due:
  description: Units with O(units[].defer_restart) that run with something older than what is on disk.
  returned: always
  type: list
  elements: str
"""

import os
from datetime import UTC, datetime

from ansible.module_utils.basic import AnsibleModule

PROPERTIES = (
    "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestamp,"
    "ActiveEnterTimestamp,StateChangeTimestamp,FragmentPath,DropInPaths"
)
UNIT = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "restart_on": {"type": "list", "elements": "path", "default": []},
    "reload_on": {"type": "list", "elements": "path", "default": []},
    "holds": {"type": "list", "elements": "str", "default": []},
    "await_start": {"type": "bool", "default": True},
    "defer_restart": {"type": "bool", "default": False},
}


def parse(shown):
    """The blocks of `systemctl show`, one dict a unit, in the order asked."""
    blocks = [block for block in shown.strip().split("\n\n") if block]
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]


def seconds(stamp):
    """'Mon 2026-11-23 09:57:33.123456 UTC' as seconds since the epoch; 0 where systemd says nothing."""
    if not stamp:
        return 0.0
    moment = datetime.strptime(stamp, "%a %Y-%m-%d %H:%M:%S.%f UTC")
    return moment.replace(tzinfo=UTC).timestamp()


def newest(paths):
    """The latest modification among the paths that exist, in seconds; 0 where there is none."""
    return max((os.stat(path).st_mtime for path in paths if os.path.exists(path)), default=0.0)


def unit_files(found):
    return [path for path in [found.get("FragmentPath", ""), *found.get("DropInPaths", "").split()] if path]


def actions_for(unit, found, *, holds=True):
    """What has to be done to one unit: systemctl's own verbs, in order. Pure but for the files' times."""
    running = found.get("ActiveState") in ("active", "reloading", "activating")
    enabled = found.get("UnitFileState") in ("enabled", "static", "generated", "indirect", "alias")
    if unit["state"] == "stopped":
        off = [] if found.get("UnitFileState") in ("disabled", "masked", "static", "") else ["disable"]
        return off + (["stop"] if running else [])
    # What somebody masked can be neither enabled nor started before it is unmasked.
    masked = found.get("UnitFileState") == "masked" or found.get("LoadState") == "masked"
    actions = (["unmask"] if masked else []) + ([] if enabled else ["enable"])
    started = seconds(found.get("ExecMainStartTimestamp", "")) or seconds(
        found.get("ActiveEnterTimestamp", "")
    )
    if found.get("ActiveState") == "failed":
        actions += ["reset-failed", "start"]
    elif not running:
        actions.append("start")
    elif not holds or newest([*unit["restart_on"], *unit_files(found)]) > started:
        actions.append("restart")
    elif newest(unit["reload_on"]) > max(started, seconds(found.get("StateChangeTimestamp", ""))):
        actions.append("reload")
    return actions


def main():
    """Bring every unit to its declared state."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "required": True, "options": UNIT},
        },
        supports_check_mode=True,
    )

    def systemctl(*words):
        code, out, err = module.run_command(["systemctl", *words])
        if code != 0:
            module.fail_json(msg=f"systemctl {' '.join(words)}: {(err or out).strip()}")
        return out

    def holds(unit):
        return not unit["holds"] or module.run_command(unit["holds"])[0] == 0

    units = module.params["units"]
    names = [unit["name"] for unit in units]
    show = ["show", "--timestamp=us+utc", f"--property={PROPERTIES}", "--", *names]
    found = parse(systemctl(*show))
    stale = any(one.get("NeedDaemonReload") == "yes" or one.get("LoadState") == "not-found" for one in found)
    if stale and not module.check_mode:
        systemctl("daemon-reload")
        found = parse(systemctl(*show))
    needed = [
        (verb, unit)
        for unit, one in zip(units, found, strict=True)
        for verb in actions_for(unit, one, holds=holds(unit))
    ]
    due = [unit["name"] for verb, unit in needed if verb == "restart" and unit["defer_restart"]]
    plan = [(verb, unit) for verb, unit in needed if verb != "restart" or not unit["defer_restart"]]
    if not module.check_mode:
        for verb, unit in plan:
            options = ["--no-block"] if verb == "start" and not unit["await_start"] else []
            systemctl(*options, verb, unit["name"])
    said = [f"{verb} {unit['name']}" for verb, unit in plan]
    diff = {"before": "", "after": "".join(f"{line}\n" for line in said)}
    module.exit_json(changed=bool(plan), actions=said, restart_due=due, diff=diff if plan else {})


if __name__ == "__main__":
    main()
