"""Faults on two real hosts: each has its effect and no other; whoever comes next heals it."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from mirrorforce import inventory as inventories
from mirrorforce import remote
from mirrorforce.drills import actions, ledger
from mirrorforce.drills.acts import Act, Moment, Process, Verb
from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import disk_speed, hosts, links
from mirrorforce.lab import estate as lab
from mirrorforce.onhost.failover_agent import report
from mirrorforce.operations import waiting
from mirrorforce.workspace import ROOT, Workspace
from tests.lab.drill_lab import (
    BROKEN,
    DATA,
    EVERYTHING,
    LINK,
    MEMBER,
    OTHER,
    SETUP,
    VOLUMES,
    WAL,
    write_access,
)
from tests.lab.drill_lab import context as context_of
from tests.lab.small_lab import SmallLab, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirrorforce.drills.actions import Context
    from mirrorforce.lab.specs import HostSpec

ESTATE = "tlab6"
BLOCK = 160
ROUND_TRIP_MS = 10.0
EAST_TO_WEST = Act(Verb.CUT_ONE_WAY, links=(LINK,))
PATIENCE_SECONDS = 30.0

# Says what an agent says, when a file asks for it.
SPEAKER = f"""
mkdir -p /run/speaker
cat > /run/systemd/system/failover_agent.service <<'UNIT'
[Service]
Restart=always
RestartSec=0
ExecStart=/bin/sh -ec ' \\
  until test -e /run/speaker/fenced; do sleep 0.1; done; echo {report.FENCED} it; touch /run/speaker/said; \\
  until test -e /run/speaker/promised; do sleep 0.1; done; echo {report.PROMISED} it; exec sleep 300'
UNIT
systemctl daemon-reload
systemctl start failover_agent.service
"""

# Tells what it takes for the time.
TICKER = """
cat > /run/ticker.py <<'PROGRAM'
import os, time
while True:
    with open("/run/ticks.new", "w") as file:
        file.write(str(time.monotonic()))
    os.replace("/run/ticks.new", "/run/ticks")
    time.sleep(0.05)
PROGRAM
cat > /run/systemd/system/failover_agent.service <<'UNIT'
[Service]
ExecStart=/usr/bin/python3 /run/ticker.py
UNIT
systemctl daemon-reload
systemctl restart failover_agent.service
"""

# How many seconds pass for it in one of the host's.
RATE = """
import time
def both():
    return time.monotonic(), float(open("/run/ticks").read())
here, there = both()
time.sleep(1.5)
later, there_later = both()
print((there_later - there) / (later - here))
"""


@dataclass(frozen=True)
class Stage:
    """The lab, its two hosts, and the environment that drills act on."""

    small: SmallLab
    member: HostSpec
    other: HostSpec
    ctx: Context

    def said(self, host: str, command: str) -> str:
        result = remote.run(self.ctx.ws, host, command, timeout=30.0)
        assert result.ok, f"{command}: {result.reason}"
        return result.stdout.strip()

    def answers(self, port: int) -> bool:
        """Whether a port of the member answers a request, asked on the member itself."""
        ask = f"curl --silent --max-time 2 --output /dev/null http://127.0.0.1:{port}"
        return remote.run(self.ctx.ws, MEMBER, ask).ok

    def accepts_queries(self) -> bool:
        ask = "sudo runuser -u postgres -- timeout 2 psql -Atc 'select 1'"
        return remote.run(self.ctx.ws, MEMBER, ask).ok

    def echoes_heard(self, host: str) -> int:
        """Echo requests that have reached the host, by its kernel's count."""
        return int(self.said(host, "nstat -asz IcmpInEchos | awk '/IcmpInEchos/ {print $2}'"))

    def free(self, mount: str) -> int:
        return int(self.said(MEMBER, f"df -B1 --output=avail {mount} | tail -n 1"))

    def one_byte(self, host: str, folder: str) -> bool:
        """Whether a file of one byte can be written there."""
        byte = f"{folder}/byte"
        write = f"printf x > {byte} && sync -f {byte}; status=$?; rm -f {byte}; exit $status"
        return remote.run(self.ctx.ws, host, ["sudo", "sh", "-c", write]).ok

    def synced_writes(self, mount: str, count: int = 5) -> float:
        """Seconds that so many synced writes of a block take."""
        write = f"LC_ALL=C dd if=/dev/zero of={mount}/timed bs=4k count={count} oflag=dsync 2>&1"
        told = self.said(MEMBER, f"sudo sh -c '{write}; rm {mount}/timed' | tail -n 1")
        return float(told.split(",")[2].split()[0])

    def picture(self) -> tuple[object, ...]:
        """All that faults change, as the machine and the hosts show it."""
        state = links.observe(ESTATE, *LINK)
        units = "systemctl show --property=FreezerState,ActiveState patroni.service etcd.service"
        power = [found.running for name in (MEMBER, OTHER) if (found := hosts.observe(ESTATE, name))]
        return (
            state and (state.running, state.down_at, state.condition),
            power,
            disk_speed.slowed(ESTATE, MEMBER),
            self.said(MEMBER, units),
            self.said(MEMBER, f"sudo ls {WAL}"),
            self.said(MEMBER, "sudo nft list tables"),
            self.one_byte(MEMBER, WAL),
            ledger.outstanding(self.ctx.ws),
        )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    lab.checks()
    _clear()
    small = prepare(ESTATE, BLOCK, tmp_path_factory.mktemp("access"))
    member = replace(small.host("east", MEMBER), volumes=VOLUMES)
    other = replace(small.host("west", OTHER), volumes=VOLUMES)
    small.stand_up([member, other], [small.link(*LINK, ROUND_TRIP_MS)])
    ctx = context_of(ESTATE)
    try:
        write_access(ctx, small.key)
        made = remote.run(ctx.ws, MEMBER, ["sudo", "sh", "-euc", SETUP], timeout=60.0)
        assert made.ok, made.stderr
        yield Stage(small, member, other, ctx)
    finally:
        _clear()


def _clear() -> None:
    inventories.close_access(Workspace(ESTATE))
    lab.sweep(ESTATE)
    shutil.rmtree(Workspace(ESTATE).state, ignore_errors=True)


@pytest.fixture(autouse=True)
def healed(stage: Stage) -> Iterator[None]:
    """Every test starts from, and leaves, a lab in which nothing is broken."""
    before = stage.picture()
    yield
    actions.heal(stage.ctx)
    assert stage.picture() == before


def test_a_one_way_cut_lets_echoes_pass_one_way_only(stage: Stage) -> None:
    actions.carry_out(stage.ctx, EAST_TO_WEST)
    west, east = stage.echoes_heard(OTHER), stage.echoes_heard(MEMBER)
    assert stage.small.round_trips(stage.member, stage.other.address, 3) == []
    assert stage.small.round_trips(stage.other, stage.member.address, 3) == []
    assert stage.echoes_heard(OTHER) == west
    assert stage.echoes_heard(MEMBER) == east + 3
    actions.undo(stage.ctx, EAST_TO_WEST)
    assert len(stage.small.round_trips(stage.member, stage.other.address, 3)) == 3


def test_faults_of_one_link_are_laid_over_each_other_and_undone_in_any_order(stage: Stage) -> None:
    slow, isolated = Act(Verb.DELAY, links=(LINK,), amount=4), Act(Verb.ISOLATE, sites=("west",))
    actions.carry_out(stage.ctx, slow)
    actions.carry_out(stage.ctx, isolated)
    assert stage.small.round_trips(stage.member, stage.other.address, 2) == []
    actions.undo(stage.ctx, isolated)
    times = stage.small.round_trips(stage.member, stage.other.address, 3)
    assert min(times) == pytest.approx(4 * ROUND_TRIP_MS, abs=4)
    actions.carry_out(stage.ctx, isolated)
    actions.undo(stage.ctx, slow)
    state = links.observe(ESTATE, *LINK)
    assert state
    assert (state.spec.round_trip_ms, state.down_at) == (ROUND_TRIP_MS, ("west",))


def test_a_member_may_be_cut_off_from_the_others_of_its_cell_and_from_nobody_else(stage: Stage) -> None:
    ask = f"curl --silent --max-time 2 --output /dev/null http://{stage.member.address}:8008"
    assert remote.run(stage.ctx.ws, OTHER, ask).ok
    actions.carry_out(stage.ctx, Act(Verb.PART, hosts=(MEMBER,)))
    assert not remote.run(stage.ctx.ws, OTHER, ask).ok
    assert stage.said(MEMBER, "hostname") == MEMBER
    actions.carry_out(stage.ctx, Act(Verb.JOIN, hosts=(MEMBER,)))
    assert remote.run(stage.ctx.ws, OTHER, ask).ok


def test_a_frozen_member_answers_nothing_while_sshd_does(stage: Stage) -> None:
    assert stage.answers(8008)
    assert stage.accepts_queries()
    actions.carry_out(stage.ctx, Act(Verb.FREEZE, hosts=(MEMBER,)))
    assert not stage.answers(8008)
    assert not stage.accepts_queries()
    assert stage.said(MEMBER, "hostname") == MEMBER
    listening = stage.said(MEMBER, "ss -Hltn 'sport = 8008'")
    assert listening, "its sockets are still open"
    actions.carry_out(stage.ctx, Act(Verb.THAW, hosts=(MEMBER,)))
    assert stage.answers(8008)
    assert stage.accepts_queries()


def test_patroni_may_freeze_alone_while_postgresql_answers(stage: Stage) -> None:
    actions.carry_out(stage.ctx, Act(Verb.FREEZE_PATRONI, hosts=(MEMBER,)))
    assert not stage.answers(8008)
    assert stage.accepts_queries()
    actions.carry_out(stage.ctx, Act(Verb.THAW, hosts=(MEMBER,)))
    assert stage.answers(8008)


def test_a_full_wal_volume_refuses_one_more_byte_on_that_host_alone(stage: Stage) -> None:
    full = Act(Verb.FILL_WAL, hosts=(MEMBER,))
    before = stage.free(WAL)
    assert before > 0
    actions.carry_out(stage.ctx, full)
    assert stage.free(WAL) == 0
    assert not stage.one_byte(MEMBER, WAL)
    assert stage.one_byte(MEMBER, DATA)
    assert stage.one_byte(OTHER, WAL)
    actions.undo(stage.ctx, full)
    assert stage.free(WAL) == before


def test_a_slow_disk_is_slow_for_its_own_volume_alone(stage: Stage) -> None:
    slow = Act(Verb.SLOW_DISK, hosts=(MEMBER,), amount=0.05)
    actions.carry_out(stage.ctx, slow)
    assert stage.synced_writes(DATA) >= 5 * 0.05
    assert stage.synced_writes(WAL) < stage.synced_writes(DATA) / 5
    actions.undo(stage.ctx, slow)
    assert stage.synced_writes(DATA) < 5 * 0.05


def test_a_killed_postmaster_is_gone_and_a_killed_patroni_starts_again(stage: Stage) -> None:
    main = "systemctl show --property=MainPID --value patroni.service"
    actions.carry_out(stage.ctx, Act(Verb.KILL, hosts=(MEMBER,), process=Process.POSTMASTER))
    _eventually(lambda: not stage.accepts_queries())
    assert stage.answers(8008)
    first = stage.said(MEMBER, main)
    actions.carry_out(stage.ctx, Act(Verb.KILL, hosts=(MEMBER,), process=Process.PATRONI))
    _eventually(lambda: stage.answers(8008) and stage.accepts_queries())
    assert stage.said(MEMBER, main) != first
    assert ledger.outstanding(stage.ctx.ws) == ()


def test_an_agent_dies_at_the_moment_that_was_said_and_starts_again(stage: Stage) -> None:
    act = Act(Verb.LET_AGENT_DIE, hosts=(MEMBER,), moment=Moment.PROMISED)
    without = replace(stage.ctx, estate=replace(stage.ctx.estate, fence_and_release=False))
    assert actions.refusal(without, act) == f"{ESTATE} has no failover agents"
    main = "systemctl show --property=MainPID --value failover_agent.service"
    stage.said(MEMBER, f"sudo sh -euc {shlex.quote(SPEAKER)}")
    first = stage.said(MEMBER, main)
    actions.carry_out(stage.ctx, act)
    stage.said(MEMBER, "sudo touch /run/speaker/fenced; until test -e /run/speaker/said; do sleep 0.1; done")
    assert stage.said(MEMBER, main) == first
    stage.said(MEMBER, "sudo touch /run/speaker/promised")
    _eventually(lambda: stage.said(MEMBER, main) not in {first, "0"})
    stage.said(MEMBER, "sudo systemctl stop failover_agent.service")


def test_an_agent_stands_still_from_the_moment_that_was_said_until_it_is_thawed(stage: Stage) -> None:
    state = "ps -o stat= -p $(systemctl show --property=MainPID --value failover_agent.service)"
    stage.said(MEMBER, f"sudo sh -euc {shlex.quote('rm -rf /run/speaker; ' + SPEAKER)}")
    act = Act(Verb.FREEZE_AGENT, hosts=(MEMBER,), moment=Moment.PROMISED)
    actions.carry_out(stage.ctx, act)
    assert not stage.said(MEMBER, state).startswith("T")
    stage.said(MEMBER, "sudo touch /run/speaker/fenced /run/speaker/promised")
    _eventually(lambda: stage.said(MEMBER, state).startswith("T"))
    actions.carry_out(stage.ctx, Act(Verb.THAW, hosts=(MEMBER,)))
    assert not stage.said(MEMBER, state).startswith("T")
    assert ledger.outstanding(stage.ctx.ws) == ()
    stage.said(MEMBER, "sudo systemctl stop failover_agent.service")


def test_an_agent_s_clock_runs_wild_until_it_is_set_right(stage: Stage) -> None:
    def rate() -> float:
        return float(stage.said(MEMBER, f"python3 -c {shlex.quote(RATE)}"))

    stage.said(MEMBER, f"sudo sh -euc {shlex.quote(TICKER)}")
    for act, limits in (
        (Act(Verb.RUN_FAST, hosts=(MEMBER,), amount=10.0), (5, 20)),
        (Act(Verb.RUN_SLOW, hosts=(MEMBER,), amount=3.0), (0.1, 0.7)),
    ):
        actions.carry_out(stage.ctx, act)
        _eventually(lambda limits=limits: limits[0] < rate() < limits[1])  # type: ignore[misc]
        actions.undo(stage.ctx, act)
        _eventually(lambda: 0.8 < rate() < 1.2)
    assert ledger.outstanding(stage.ctx.ws) == ()
    stage.said(MEMBER, "sudo systemctl stop failover_agent.service")


def test_stopped_etcd_stays_stopped_until_it_is_started(stage: Stage) -> None:
    actions.carry_out(stage.ctx, Act(Verb.STOP_ETCD, hosts=(MEMBER,)))
    assert stage.said(MEMBER, "systemctl show --property=ActiveState --value etcd") == "inactive"
    actions.carry_out(stage.ctx, Act(Verb.START_ETCD, hosts=(MEMBER,)))
    assert stage.said(MEMBER, "systemctl show --property=ActiveState --value etcd") == "active"
    stage.said(MEMBER, "etcdctl endpoint health")


def test_what_a_killed_process_broke_is_healed_by_the_next(stage: Stage) -> None:
    command = [sys.executable, "-m", "tests.lab.drill_lab", ESTATE]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().strip() == BROKEN
        process.send_signal(signal.SIGKILL)
    assert [entry.act for entry in ledger.outstanding(stage.ctx.ws)] == list(EVERYTHING)
    assert not stage.answers(8008)
    assert not stage.one_byte(MEMBER, WAL)
    actions.heal(stage.ctx)
    assert ledger.outstanding(stage.ctx.ws) == ()
    assert stage.answers(8008)
    actions.heal(stage.ctx)


def test_what_was_written_down_and_never_made_is_healed_without_harm(stage: Stage) -> None:
    ledger.add(stage.ctx.ws, EVERYTHING)
    actions.heal(stage.ctx)
    assert stage.answers(8008)


def test_a_host_that_lost_its_power_meanwhile_is_healed_as_well(stage: Stage) -> None:
    for act in EVERYTHING[3:7]:
        actions.carry_out(stage.ctx, act)
    hosts.power_off(ESTATE, MEMBER)
    actions.heal(stage.ctx)
    assert ledger.outstanding(stage.ctx.ws) == ()
    hosts.power_on(ESTATE, MEMBER)
    assert "filler" not in stage.said(MEMBER, f"sudo ls {WAL}")
    stage.said(MEMBER, "sudo systemctl start patroni etcd")
    _eventually(lambda: stage.answers(8008))


def test_what_cannot_be_undone_stays_written_down_and_does_not_keep_the_rest(stage: Stage) -> None:
    ledger.add(stage.ctx.ws, [Act(Verb.FREEZE, hosts=(MEMBER,)), EAST_TO_WEST])
    links.cut_one_way(ESTATE, *LINK)
    stage.said(MEMBER, "sudo mv /usr/bin/systemctl /usr/bin/systemctl.away")
    try:
        with pytest.raises(MirrorforceError, match=f"thaw.*{MEMBER}"):
            actions.heal(stage.ctx)
    finally:
        stage.said(MEMBER, "sudo mv /usr/bin/systemctl.away /usr/bin/systemctl")
    assert [entry.act.verb for entry in ledger.outstanding(stage.ctx.ws)] == [Verb.FREEZE]
    state = links.observe(ESTATE, *LINK)
    assert state
    assert state.running


def test_an_orderly_restart_boots_anew_and_loses_nothing(stage: Stage) -> None:
    boot = stage.said(OTHER, "cat /proc/sys/kernel/random/boot_id")
    stage.said(OTHER, "sudo sh -c 'echo kept > /var/lib/kept'")
    assert hosts.restart(ESTATE, OTHER).running
    assert stage.said(OTHER, "cat /proc/sys/kernel/random/boot_id") != boot
    assert stage.said(OTHER, "sudo cat /var/lib/kept") == "kept"


def _eventually(condition: Callable[[], bool]) -> None:
    late = MirrorforceError(f"not within {PATIENCE_SECONDS:.0f} s")
    waiting.until(lambda: condition() or None, limit=PATIENCE_SECONDS, otherwise=lambda: late)
