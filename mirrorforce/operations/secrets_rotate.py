"""`secrets rotate`: new passwords, keys and certificates while everything runs.

`mirrorforce.rotation` says which stages there are. Each is written down first, in the stacks' encrypted
config, and then hosts are converged to it: so whatever is interrupted is a declared state, that `up` and
`converge` keep to, and that the next `secrets rotate` goes on from. Between two stages the new value is
tried at every door, and the estate has to be whole.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mirrorforce import engine, inventory, placement, remote, role_variables, rotation
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.lock import only_one
from mirrorforce.operations import converge, names, secrets_trials, status, waiting
from mirrorforce.operations.status_problems import troubles_of
from mirrorforce.rotation import SSH_KEY, Kind
from mirrorforce.secrets import Stage
from mirrorforce.stack_names import site_stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.progress import Phases
    from mirrorforce.rotation import Secret
    from mirrorforce.secrets import EstateSecrets
    from mirrorforce.workspace import Workspace

SETTLED_WITHIN = 120.0
"""Seconds until the estate is whole again after a stage: voters of etcd restart one after the other."""

_REACHED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. new: secrets that get a new value. taken_up: those that are between two."""

    new: tuple[Secret, ...]
    taken_up: tuple[Secret, ...]


def chosen(estate: Estate, wanted: Sequence[str]) -> tuple[Secret, ...]:
    """The secrets of these names; a cell's name stands for all of its own, none at all for every secret.

    BadInputError for a name that there is not, with the nearest one.
    """
    known = rotation.of(estate)
    cells = [cell.name for cell in estate.cells]
    for name in wanted:
        names.known("secret", name, [*(each.name for each in known), *cells])
    return tuple(each for each in known if not wanted or each.name in wanted or each.cell in wanted)


def plan(estate: Estate, secrets: EstateSecrets, wanted: Sequence[str]) -> Plan:
    """What there is to do. Whatever is half-done is finished, whether it is wanted or not; never begun twice.

    BadInputError for an unknown name, or where the estate no longer has what is half-done.
    """
    new = chosen(estate, wanted)
    known = {each.name: each for each in rotation.of(estate)}
    if gone := sorted(set(secrets.changes) - set(known)):
        raise BadInputError(
            f"{', '.join(gone)} is half rotated, and the estate file no longer declares what it belongs to",
            "declare it again, finish with mirrorforce secrets rotate, then take it out",
        )
    taken_up = tuple(each for name, each in known.items() if name in secrets.changes)
    return Plan(tuple(each for each in new if each not in taken_up), taken_up)


def look(ws: Workspace, estate: Estate, wanted: Sequence[str]) -> Plan:
    """What `rotate` would do now. Changes nothing."""
    return plan(estate, engine.read_secrets(ws), wanted)


def rotate(
    ws: Workspace, estate: Estate, found: Inventory, wanted: Sequence[str], phases: Phases
) -> tuple[str, ...]:
    """Give these secrets new values, or finish what was begun; the names of those that have one now.

    MirrorforceError before anything is changed where a host does not answer or the estate is not whole;
    later, where a stage does not hold: it names what is half-done, and a next run goes on from it.
    """
    with only_one(ws, f"secrets rotate {ws.env}"):
        secrets = engine.read_secrets(ws)
        todo = plan(estate, secrets, wanted)
        run = _Run(ws, estate, found, phases, secrets)
        with phases.phase("look") as waits_for:
            run.require_whole(waits_for)
        try:
            if todo.taken_up:
                phases.say(f"taken up again: {_names(todo.taken_up)}")
                run.settle(todo.taken_up, None)
            run.go_on((*todo.taken_up, *todo.new))
        except (MirrorforceError, KeyboardInterrupt):
            run.say_what_is_left()
            raise
    return tuple(each.name for each in (*todo.taken_up, *todo.new))


def _names(secrets: Sequence[Secret]) -> str:
    return ", ".join(each.name for each in secrets)


class _Run:
    """One run: the secrets as they are written down, and the hosts that were as declared when it began."""

    def __init__(
        self, ws: Workspace, estate: Estate, found: Inventory, phases: Phases, secrets: EstateSecrets
    ) -> None:
        self.ws, self.estate, self.found, self.phases = ws, estate, found, phases
        self.secrets = secrets
        self.hosts = placement.hosts(estate)
        self.as_declared: frozenset[str] = frozenset()

    def require_whole(self, waits_for: Callable[[str], None]) -> None:
        """Every host answers and everything runs, else MirrorforceError; nothing has been changed."""
        inventory.write_access(self.ws, self.found, self.secrets)
        every = [host.name for host in self.hosts]
        waits_for("every host answers")
        absent = sorted(set(every) - {host.name for host in self.found.hosts})
        answers = remote.run_on_all(self.ws, set(every) - set(absent), ["true"], timeout=_REACHED_SECONDS)
        silent = absent + [name for name, answer in answers.items() if not answer.ok]
        if silent:
            raise MirrorforceError(
                f"nothing was changed: {', '.join(silent)} does not answer, and would keep old secrets",
                f"mirrorforce status {self.ws.env}; give them power, or take them out of the estate file",
            )
        waits_for("everything runs")
        if troubles := troubles_of(
            status.collect(self.ws, self.estate, self.found, timeout=_REACHED_SECONDS)
        ):
            raise MirrorforceError(
                f"nothing was changed: the estate is not whole: {'; '.join(troubles)}",
                f"mirrorforce status {self.ws.env}; mirrorforce converge {self.ws.env}",
            )
        waits_for("what the hosts were converged to")
        prints = converge.fingerprints_with(self.estate, self.secrets)
        self.as_declared = frozenset(every) - set(converge.stale_hosts(self.ws, prints))

    def go_on(self, queue: Sequence[Secret]) -> None:
        """Take all of these from stage to stage together, until each has its new value alone."""
        while queue:
            before, now = self.secrets, dt.datetime.now(dt.UTC)
            after = before
            for secret in queue:
                after = rotation.advanced(after, secret, self.estate.name, now)
            engine.write_secrets(self.ws, after)
            self.secrets = after
            queue = [secret for secret in queue if secret.name in after.changes]
            self.settle(queue, before)

    def settle(self, queue: Sequence[Secret], before: EstateSecrets | None) -> None:
        """Bring hosts to the stage that these secrets have reached, and see that it holds.

        `before`: the secrets that hosts were brought to last; None where that is not known.
        """
        if not queue:
            return
        stages = ", ".join(dict.fromkeys(str(self.secrets.changes[each.name].stage) for each in queue))
        if self._at(SSH_KEY, queue) is Stage.SWITCHED:
            self._use_ssh_key()
        with self.phases.phase(stages) as waits_for:
            self._converge(queue, before, waits_for)
            waits_for("everything runs")
            report = waiting.until_whole(
                self.ws, self.estate, self.found, limit=SETTLED_WITHIN, on_progress=waits_for
            )
            waits_for("new values open every door, old ones none where they are dropped")
            self._try(queue, report)

    def _at(self, name: str, queue: Sequence[Secret]) -> Stage | None:
        return self.secrets.changes[name].stage if name in {each.name for each in queue} else None

    def _use_ssh_key(self) -> None:
        """Reach hosts by the new key from now on; stacks and the lab's disks know it as theirs."""
        with self.phases.phase("ssh key") as waits_for:
            inventory.close_access(self.ws)
            inventory.write_access(self.ws, self.found, self.secrets)
            key = self.secrets.ssh_public_key
            ups = [
                partial(
                    engine.up, self.ws, str(stack), public_key=key,
                    on_event=lambda step: waits_for(str(step)),
                )
                for stack in site_stacks(self.estate)
            ]  # fmt: skip
            engine.side_by_side(ups)

    def _converge(
        self, queue: Sequence[Secret], before: EstateSecrets | None, waits_for: Callable[[str], None]
    ) -> None:
        changed = self._changed(before)
        if not changed:
            return
        # These are the last stages of all: what follows is but forgotten here.
        last = all(rotation.next_stage(each, self.secrets.changes[each.name].stage) is None for each in queue)
        prints = converge.fingerprints_with(self.estate, replace(self.secrets, changes={})) if last else {}
        notes = {name: text for name, text in prints.items() if name in self.as_declared & changed}
        tags = sorted({tag for each in queue for tag in each.tags})
        converge.converge(
            self.ws,
            self.estate,
            limit=",".join(sorted(changed)),
            tags=",".join(tags),
            notes=notes,
            on_progress=waits_for,
        )

    def _changed(self, before: EstateSecrets | None) -> frozenset[str]:
        """The hosts for which something else is declared now."""

        def declared(secrets: EstateSecrets) -> dict[str, object]:
            return {
                host.name: role_variables.for_host(self.estate, self.hosts, host, secrets)
                for host in self.hosts
            }

        now = declared(self.secrets)
        known = declared(before) if before else dict.fromkeys(now)
        return frozenset(name for name, variables in now.items() if variables != known[name])

    def _try(self, queue: Sequence[Secret], report: Mapping[str, Any]) -> None:
        """`report`: the status of the estate, whole."""
        stage = self._at(SSH_KEY, queue)
        if stage in {Stage.OFFERED, Stage.DROPPED}:
            secrets_trials.ssh_key(self.ws, self.found, self.secrets, opens=stage is Stage.OFFERED)
        if any(each.kind in {Kind.AUTHORITY, Kind.CERTIFICATES} for each in queue):
            secrets_trials.until_reissued(self.ws, self.hosts, self.secrets)
        cells = {each.cell for each in queue if {"etcd", "postgres"} <= {*each.tags}}
        if cells and Stage.SWITCHED in {self.secrets.changes[each.name].stage for each in queue}:
            members = [host for host in self.hosts if host.cell in cells]
            secrets_trials.until_reloaded(self.ws, self.estate, members)
        primaries = {cell["name"]: cell["primary"]["host"] for cell in report["cells"]}
        doors = [
            door
            for each in queue
            for door in secrets_trials.doors(self.estate, self.hosts, self.secrets, each, primaries)
        ]
        if doors:
            secrets_trials.until_true(self.ws, doors)

    def say_what_is_left(self) -> None:
        """Name what is half-done, after an interruption."""
        for name, change in self.secrets.changes.items():
            self.phases.say(f"half-done: {name}, {_MEANING[change.stage]}")
        if self.secrets.changes:
            self.phases.say(f"next: mirrorforce secrets rotate --env {self.ws.env}, which goes on from here")


_MEANING = {
    Stage.OFFERED: "the old value is in use, the new one may be accepted already",
    Stage.SWITCHED: "the new value is taking over, the old one is still accepted",
    Stage.DROPPED: "the new value is in use, the old one is being dropped",
}
