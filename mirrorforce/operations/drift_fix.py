"""`drift --fix`: mend what a look found, in an order in which no cell misses more than one member.

Infrastructure first; then hosts in waves, standbys before primaries; then restarts, a primary's after a
switchover. Where a step fails nothing more is begun, and what was not reached is named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from mirrorforce import engine, inventory, placement, remote
from mirrorforce.drift import order
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import converge, lost_wal, plan, probing, requests, status, switchover, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mirrorforce.drift.finding import Finding
    from mirrorforce.estate import Estate, Host
    from mirrorforce.inventory import Inventory
    from mirrorforce.operations.drift import Result
    from mirrorforce.progress import Phases
    from mirrorforce.workspace import Workspace

MEND = probing.COMMAND.replace("onhost.probe", "onhost.mend")
REACHED_WITHIN = 90.0
"""Seconds until a host that got its power back answers."""

SETTLED_WITHIN = 180.0
"""Seconds until the members of a wave stream again; a rewind took up to 57 s over 66 ms."""

_ACTS_SECONDS = 90.0
_RESTART_SECONDS = 120.0


@dataclass(slots=True)
class Account:
    """What was done, in its order, as the report has it."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    failed: bool = False

    def note(self, where: str, what: str, outcome: str, reason: str = "") -> None:
        """Write one step down."""
        self.lines.append({"where": where, "what": what, "outcome": outcome, "reason": reason})

    def step(self, where: str, what: str, action: Callable[[], object]) -> None:
        """Do one step, unless one before it failed: then it is named as not reached."""
        if self.failed:
            self.note(where, what, "not reached")
            return
        try:
            action()
        except MirrorforceError as error:
            self.failed = True
            self.note(where, what, "failed", error.message)
        else:
            self.note(where, what, "done")


def asks_about(findings: Iterable[Finding]) -> list[Finding]:
    """The findings whose mending somebody may notice."""
    return [finding for finding in findings if finding.mend.disruptive and finding.mend.by != "hand"]


def fix(ws: Workspace, estate: Estate, seen: Result, phases: Phases, *, agreed: bool) -> list[dict[str, Any]]:
    """Mend what was found; what was done, step by step. The caller holds the environment's lock.

    Without an agreement nothing is done that somebody may notice.
    """
    account = Account()
    try:
        _carry_out(ws, estate, seen, phases, account, agreed=agreed)
    except MirrorforceError as error:
        account.note(ws.env, "all that was still to be done", "failed", error.message)
    if not agreed:
        for finding in asks_about(seen.findings):
            what = f"{finding.item}: {finding.mend.what}"
            account.note(finding.mend.where or finding.subject, what, "declined")
    return account.lines


def _carry_out(
    ws: Workspace, estate: Estate, seen: Result, phases: Phases, account: Account, *, agreed: bool
) -> None:
    hosts = placement.hosts(estate)
    stacks = order.plan(seen.findings, hosts, seen.primaries, agreed=agreed).stacks
    if stacks:
        with phases.phase("stacks") as waits_for:
            _mend_stacks(ws, estate, stacks, account, waits_for)
    found = inventory.read(ws, estate)
    primaries = _primaries(ws, estate, found) or seen.primaries
    stale = converge.stale_hosts(ws, converge.fingerprints(ws, estate)) if stacks else []
    remade = [host.name for host in hosts if host.cell and f"{estate.name}-{host.site}" in stacks]
    lost = lost_wal.without_wal(ws, remade)
    todo = order.plan(seen.findings, hosts, primaries, agreed=agreed, stale=stale, without_wal=lost)
    for host in [] if agreed else lost:
        account.note(host, "copy it anew from its cell's primary: its WAL is gone", "declined")
    for number, wave in enumerate(todo.waves, 1):
        with phases.phase(f"wave {number}") as waits_for:
            waits_for(", ".join(wave))
            _mend_wave(ws, estate, found, wave, todo, account)
    # What was mended may ask for restarts, of the cells that were worked on and of no other.
    worked_on = {host.cell for host in hosts if host.cell and any(host.name in wave for wave in todo.waves)}
    members = [host.name for host in hosts if agreed and host.cell in worked_on]
    restarts = {*todo.restarts, *waiting_members(ws, estate, members)}
    for host in sorted(restarts, key=lambda name: (name in primaries, name)):
        with phases.phase("restart") as waits_for:
            waits_for(host)
            restart = _restart(ws, estate, found, host, waits_for)
            account.step(host, "restart, as what is configured asks for", restart)


def _mend_stacks(
    ws: Workspace,
    estate: Estate,
    stacks: Sequence[str],
    account: Account,
    say: Callable[[str], None],
) -> None:
    """`pulumi up` of the stacks that differ; hosts that were made anew are known afterwards."""
    secrets = engine.prepare(ws, estate)
    interconnect = str(engine.stacks_of(estate)[-1])

    def up(stack: str) -> None:
        key = "" if stack == interconnect else secrets.ssh_public_key
        engine.up(ws, stack, public_key=key, on_event=lambda step: say(f"{stack}: {step}"))

    def reach() -> None:
        found = inventory.read(ws, estate)
        inventory.write_access(ws, found, secrets)
        _until_reached(ws, [host.name for host in found.hosts if f"{estate.name}-{host.site}" in stacks])

    sites = [stack for stack in stacks if stack != interconnect]
    look_first = partial(plan.require_no_losses, ws, estate, sites, secrets.ssh_public_key)
    account.step(", ".join(stacks), "look at the plan: nothing that holds data is lost", look_first)
    for stack in stacks:
        account.step(stack, "pulumi up", partial(up, stack))
    account.step(", ".join(stacks), "hosts answer again", reach)


def _until_reached(ws: Workspace, hosts: Sequence[str]) -> None:
    def all_answer() -> bool | None:
        answers = remote.run_on_all(ws, hosts, ["true"], timeout=5.0)
        return True if all(answer.reached for answer in answers.values()) else None

    waiting.until(
        all_answer,
        limit=REACHED_WITHIN,
        every=2.0,
        otherwise=lambda: MirrorforceError(
            f"not all of {', '.join(hosts)} answer after {REACHED_WITHIN:.0f} s",
            f"mirrorforce status {ws.env}",
        ),
    )


def _mend_wave(
    ws: Workspace, estate: Estate, found: Inventory, wave: Sequence[str], todo: order.Plan, account: Account
) -> None:
    """Acts, then the roles, on the hosts of one wave; then their members stream before the next one."""
    for host in wave:
        if acts := todo.acts.get(host):
            words = ", ".join(str(act["act"]).replace("_", " ") for act in acts)
            account.step(host, words, partial(_act, ws, host, acts))
        for what, act in lost_wal.copy_anew(ws, estate, found, host) if host in todo.copies else ():
            account.step(host, what, act)
    chosen = [host for host in wave if host in todo.converge]
    if chosen:
        limit = ",".join(chosen)
        account.step(limit, "converge", partial(converge.converge, ws, estate, limit=limit))
    members = [host.name for host in found.hosts if host.cell and host.name in wave]
    if members:
        streams = partial(_until_streaming, ws, estate, found, members)
        account.step(", ".join(members), "stream again", streams)


def _act(ws: Workspace, host: str, acts: Sequence[Mapping[str, Any]]) -> None:
    """Carry out acts on a host; MirrorforceError that names each that failed."""
    told = [dict(act) for act in acts]
    if any(act["act"] == "remove_etcd_member" for act in told):
        password = engine.read_secrets(ws).etcd_root_password
        told = [{**act, "root_password": password} for act in told]
    answer = remote.run(ws, host, MEND, stdin=json.dumps(told), timeout=_ACTS_SECONDS)
    if not answer.ok:
        raise MirrorforceError(f"{host}: {answer.reason}", f"mirrorforce ssh {host}")
    reasons = json.loads(answer.stdout)
    if wrong := [f"{act['act']}: {reason}" for act, reason in zip(acts, reasons, strict=True) if reason]:
        raise MirrorforceError(f"{host}: {'; '.join(wrong)}", f"mirrorforce ssh {host}")


def _until_streaming(ws: Workspace, estate: Estate, found: Inventory, members: Sequence[str]) -> None:
    """Wait until these members lead or stream."""
    last: list[str] = []

    def streaming() -> bool | None:
        report = status.collect(ws, estate, found)
        states = {member["host"]: member["state"] for cell in report["cells"] for member in cell["members"]}
        last[:] = [
            f"{name} is {states[name]}" for name in members if states[name] not in {"running", "streaming"}
        ]
        return None if last else True

    waiting.until(
        streaming,
        limit=SETTLED_WITHIN,
        every=2.0,
        otherwise=lambda: MirrorforceError(
            f"after {SETTLED_WITHIN:.0f} s {', '.join(last)}", f"mirrorforce status {ws.env}"
        ),
    )


def _primaries(ws: Workspace, estate: Estate, found: Inventory) -> frozenset[str]:
    cells = status.collect(ws, estate, found, timeout=status.FOR_A_DECISION)["cells"]
    return frozenset(cell["primary"]["host"] for cell in cells if cell["primary"])


def waiting_members(ws: Workspace, estate: Estate, names: Sequence[str]) -> list[str]:
    """Those of the named members whose parameters wait for a restart now.

    PostgreSQL knows at once; Patroni by its next loop, but also of those that it gives on the command line.
    """
    hosts: dict[str, Host] = {host.name: host for host in placement.hosts(estate)}
    asked = {name: {"patroni": requests.patroni(hosts[name]), "postgres": {"timeout": 5.0}} for name in names}
    probes = probing.ask(ws, asked, timeout=8.0)
    return [
        name
        for name, probe in probes.items()
        if (probe.section("patroni").get("member") or {}).get("pending_restart")
        or probe.section("postgres").get("pending_restart")
    ]


def _restart(
    ws: Workspace, estate: Estate, found: Inventory, host: str, say: Callable[[str], None]
) -> Callable[[], None]:
    """Restart one member: its unit where the roles ask for it, its PostgreSQL where parameters wait."""

    def restart() -> None:
        cell = estate.cell(str(found.host(host).cell))
        handed_over = host in _primaries(ws, estate, found)
        home = found.host(host).site
        if handed_over:
            other = next(site for site in cell.members if site != home)
            switchover.switchover(ws, estate, found, cell.name, other, say)
        # The role restarts a standby that runs with an older unit; Patroni restarts for parameters.
        converge.converge(ws, estate, limit=host, tags="postgres")
        if host in waiting_members(ws, estate, [host]):
            line = [*requests.PATRONICTL, "restart", cell.name, host, "--force"]
            answer = remote.run(ws, host, line, timeout=_RESTART_SECONDS)
            if not answer.ok:
                raise MirrorforceError(
                    f"Patroni does not restart {host}: {answer.reason}", f"mirrorforce ssh {host}"
                )
        _until_streaming(ws, estate, found, [host])
        if handed_over:
            switchover.switchover(ws, estate, found, cell.name, home, say)

    return restart
