"""The failover agent's service: sees, decides by the pure modules, and acts; one step at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mirrorforce.onhost.commands import CommandError
from mirrorforce.onhost.etcd import Client, EtcdError
from mirrorforce.onhost.failover_agent import coordination, fencing, floors, neighbours, rules, suspicion
from mirrorforce.onhost.failover_agent.coordination import Close, Known, Open, Refuse, Release, TakeOver
from mirrorforce.onhost.failover_agent.database import Database, end_stream
from mirrorforce.onhost.failover_agent.fencing import Block, EndStream, Give, Withdraw
from mirrorforce.onhost.failover_agent.gate import Gate
from mirrorforce.onhost.failover_agent.packets import Fence
from mirrorforce.onhost.failover_agent.patience import BUSY_S, IDLE_S, pause_after
from mirrorforce.onhost.failover_agent.probes import Prober, Target
from mirrorforce.onhost.failover_agent.relapse import Relapse
from mirrorforce.onhost.failover_agent.report import (
    FENCED,
    LIFTED,
    OPENED,
    PROMISED,
    RELEASED,
    TAKEN_OVER,
    Report,
)
from mirrorforce.onhost.failover_agent.store import Store
from mirrorforce.onhost.failover_agent.view import Local, Vote
from mirrorforce.onhost.sd_notify import notify

if TYPE_CHECKING:
    from mirrorforce.onhost.failover_agent.coordination import CoordinationStep
    from mirrorforce.onhost.failover_agent.database import Server
    from mirrorforce.onhost.failover_agent.fencing import FenceStep
    from mirrorforce.onhost.failover_agent.settings import Settings
    from mirrorforce.onhost.failover_agent.store import Seen
    from mirrorforce.onhost.failover_agent.suspicion import Sample
    from mirrorforce.onhost.failover_agent.view import Leader, View

WATCH_QUIET_S = 300.0
KERNEL_S = 5.0
"""Between two looks at the packet filter while it fences nobody off."""
STEPS_AT_ONCE = 12
LONG_AGO_S = 1e9
SKIP_VOTER_S = 5.0
"""Patroni stays with a voter of etcd that it picked at random. Where that is lost with the primary, the
request that hangs costs a third of retry_timeout, and the list of voters a second: 2.2 s, seen once."""
LAST_BY_S = 0.08
"""Seconds after others: they see a round one way of an etcd's message later or sooner, 35 ms in the lab."""

log = logging.getLogger("failover_agent")


@dataclass
class Memory:
    """What the agent remembers of what it saw, all moments by the monotonic clock."""

    leader: Leader | None = None
    leader_since: float = 0.0
    streamed: Leader | None = None
    watched: str = ""
    of_round: tuple[str, int, int] | None = None
    coordinates: tuple[str, int, int] | None = None
    round_since: float = 0.0
    progress: tuple[int, ...] = ()
    progress_at: float = 0.0
    gave_up: float = field(default_factory=lambda: time.monotonic() - LONG_AGO_S)


class Agent:
    """One member's agent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        client = Client(settings.endpoints, settings.credentials, settings.user)
        self._store = Store(client, settings.cell, settings.me, settings.pace)
        ports = (settings.postgres_port, settings.patroni_port)
        self._fence = Fence(settings.addresses, *ports)
        self._names = {one.address: name for name, one in settings.members.items()}
        self._database = Database()
        self._server: Server | None = None
        self._seen: Seen | None = None
        self._memory = Memory()
        self._report = Report()
        self._blocked: frozenset[str] = frozenset()
        self._blocked_asked = time.monotonic() - LONG_AGO_S
        self._target: Target | None = None
        self._streak = 0
        self._failures = 0
        self._samples: deque[tuple[Target, Sample]] = deque(maxlen=64)
        self._wake = threading.Event()
        self._prober = Prober(
            settings.own.address,
            ports,
            settings.credentials,
            settings.look_limit,
            lambda: self._target,
            self._take,
        )

    def run(self) -> None:
        """Watch until the process ends."""
        self._fence.prepare()
        threading.Thread(target=self._watch, daemon=True).start()
        self._prober.start()
        database = Database()  # a connection of that thread's own
        Relapse(led=self._led, etcd_answers=lambda: not self._failures, primary=database.is_primary).start()
        Gate(self._settings, lambda: self._seen, self._report.say).start()
        notify("READY=1")
        while True:
            busy = self._turn()
            notify("WATCHDOG=1")
            if self._failures:
                time.sleep(pause_after(self._failures))
            else:
                self._wake.wait(BUSY_S if busy else IDLE_S)
            self._wake.clear()

    def _led(self) -> bool:
        """Whether this member led when etcd was last read."""
        leader = self._memory.leader
        return leader is not None and leader.name == self._settings.me

    def _take(self, target: Target, sample: Sample) -> None:
        self._samples.append((target, sample))
        if sample.fails:
            self._wake.set()

    def _watch(self) -> None:
        """Wake the main thread when something changes in etcd."""
        settings = self._settings
        client = Client(settings.endpoints, settings.credentials, settings.user)
        keys = [settings.cell.patroni(part) for part in ("leader", "sync", "failover")]
        failures = 0
        while True:
            try:
                for _message in client.watch(keys, prefixes=[settings.cell.prefix], quiet=WATCH_QUIET_S):
                    self._wake.set()
                    failures = 0
            except EtcdError as fault:
                log.info("%s", fault)
            failures += 1
            time.sleep(pause_after(failures))

    def _turn(self) -> bool:
        """See, and do what there is to do; whether more is to come soon."""
        try:
            self._store.renew(hold=self._hold)
            for _step in range(STEPS_AT_ONCE):
                seen = self._store.see()
                self._remember(seen)
                self._seen = seen
                seen = replace(seen, view=self._judge(seen.view))
                if not self._step(seen):
                    break
            self._failures = 0
            return self._streak > 0 or seen.view.round is not None or bool(self._blocked)
        except (EtcdError, CommandError) as fault:
            self._failures += 1
            log.info("%s", fault)
            self._report.refuse("etcd, or the packet filter, does not answer")
            return False
        finally:
            leader = self._memory.leader
            self._report.write(leader.revision if leader else None, self._memory.leader_since)

    def _hold(self) -> None:
        """RULE 9: begin the timers of blocks anew."""
        if self._held():
            self._fence.extend(self._settings.pace.block)

    def _held(self) -> frozenset[str]:
        """Who is fenced off. The kernel is asked where anybody is, for timers run out; else now and then."""
        now = time.monotonic()
        if self._blocked or now - self._blocked_asked > KERNEL_S:
            self._blocked, self._blocked_asked = self._fence.blocked(), now
        return self._blocked

    def _look(self, view: View) -> Local:
        """How this host is. RULE 2: the position is asked for after it is known what leads to whom."""
        blocked = self._held()
        linked = self._fence.linked() if blocked else frozenset()
        self._server = server = self._database.look()
        source = server.source if server else None
        follows = self._names.get(source or "", source)
        if server and server.receiver and follows:
            linked |= {follows}
        self._remember_stream(server)
        return Local(
            blocked=blocked,
            linked=linked,
            of_round=self._memory.of_round,
            follows=follows,
            primary=server.primary if server else False,
            position=server.position if server else None,
            # Asked for only when the promise is next: the question takes its time.
            heir=bool(blocked) and not linked and self._settings.me not in view.promises and self._may_lead(),
        )

    def _remember_stream(self, server: Server | None) -> None:
        """RULE 4: who streams from the present leader is on its timeline; other positions do not compare."""
        leader = self._memory.leader
        if server and server.receiver and leader and self._names.get(server.sender or "") == leader.name:
            self._memory.streamed = leader

    def _may_lead(self) -> bool:
        streamed = self._memory.streamed
        return (
            streamed is not None
            and streamed == self._memory.leader
            and neighbours.patroni_runs(self._settings)
        )

    def _remember(self, seen: Seen) -> None:
        """RULE 11: since when the leader key has been what it is; a read proves it from its answer on."""
        leader = seen.view.leader
        if leader != self._memory.leader:
            self._memory.leader, self._memory.leader_since = leader, seen.answered
        if leader and leader.name != self._memory.watched:
            self._memory.watched, self._streak = leader.name, 0
            self._samples.clear()
        round_revision = seen.view.round.revision if seen.view.round else 0
        now, memory = seen.view.round, self._memory
        if now and now.given_to(self._settings.me) and memory.coordinates != now.identity:
            memory.coordinates, memory.round_since = now.identity, seen.answered
        progress = (round_revision, *sorted(one.revision for one in seen.view.promises.values()))
        if progress != self._memory.progress:
            self._memory.progress, self._memory.progress_at = progress, seen.answered
        member = self._settings.members.get(leader.name) if leader else None
        others = leader is not None and leader.name != self._settings.me
        self._target = Target(leader.name, member.address) if leader and member and others else None

    def _judge(self, view: View) -> View:
        """Count what the probes saw since, and let etcd know when it is enough, or no longer.

        Returns the view with this member's vote as it is from now on: to read it again takes a round trip.
        """
        settings, leader = self._settings, view.leader
        stream = self._stream_lives()
        while self._samples:
            target, sample = self._samples.popleft()
            if target == self._target:
                sample = replace(sample, stream=stream)
                self._streak = suspicion.streak_after(self._streak, sample)
                if 0 < self._streak <= suspicion.IN_A_ROW:
                    log.info("%s: look %d in a row: %s", target.name, self._streak, sample.words)
        suspects = suspicion.suspicious(self._streak) and leader is not None
        vote = Vote(leader.name, leader.revision, settings.own.site) if suspects and leader else None
        if view.votes.get(settings.me) != vote:
            self._report.say(f"sees {vote.target} fail" if vote else "no longer sees the primary fail")
            self._store.carry_out(settings.cell.vote(settings.me, vote))
        others = {name: one for name, one in view.votes.items() if name != settings.me}
        return replace(view, votes=others | ({settings.me: vote} if vote else {}))

    def _stream_lives(self) -> bool:
        """Whether the stream is evidence of life; one that our own fence ended is none of death."""
        server = self._server
        if self._memory.of_round is not None or server is None:
            return True
        return server.receiver is not None and (server.stream_age or 0.0) < self._settings.stream_limit

    def _step(self, seen: Seen) -> bool:
        """One step; whether another look is worth it at once."""
        view, local, settings = seen.view, self._look(seen.view), self._settings
        self._keep_floor(view, local)
        if step := fencing.next_step(settings.me, view, local):
            return self._fencing(view, step)
        known = self._known(view)
        next_step = coordination.next_step(settings.me, view, known, settings.pace)
        if next_step is None:
            if view.round is None:
                vacant = view.leader is None
                against = floors.against(settings.me, view, local.position) if vacant else ""
                self._report.refuse(against or rules.standing_brake(view))
            return False
        return self._coordination(seen, next_step)

    def _keep_floor(self, view: View, local: Local) -> None:
        """As the primary, say for each new `/sync` what it takes to lead. The position was asked since."""
        if view.sync is None or local.position is None or not local.primary:
            return
        if not floors.owed(self._settings.me, view):
            return
        floor = floors.of_sync(view.sync, view.floor, local.position)
        if self._store.carry_out(self._settings.cell.put_floor(view, floor)):
            log.info("/sync is new; to lead takes %X", floor.position)

    def _known(self, view: View) -> Known:
        now, memory, settings = time.monotonic(), self._memory, self._settings
        suspicious = suspicion.suspicious(self._streak)
        mine = view.round is not None and view.round.identity == memory.coordinates
        idle_for = now - memory.progress_at
        counts = view.round is not None and (mine or idle_for > settings.pace.take_over_after)
        silent = settings.addresses.keys() - view.alive if counts else set()
        return Known(
            suspicious=suspicious,
            leader_seen_for=now - memory.leader_since,
            mine=mine,
            round_for=now - memory.round_since,
            idle_for=idle_for,
            rests_for=now - memory.gave_up,
            failsafe=suspicious and neighbours.failsafe(settings),
            positions=neighbours.positions(settings, silent - {view.round.target} if view.round else silent),
            order=tuple(settings.members),
        )

    def _fencing(self, view: View, step: FenceStep) -> bool:
        cell, me = self._settings.cell, self._settings.me
        if isinstance(step, Block):
            self._let_others_go_first(view)
            self._memory.of_round = step.of_round
            self._fence.block([step.target], self._settings.pace.block)
            self._blocked |= {step.target}
            self._skip_voter_of(step.target, view)
            self._report.say(f"{FENCED} {step.target}")
            return True
        if isinstance(step, EndStream):
            end_stream(self._server.receiver if self._server else None)
            time.sleep(0.01)
            return True
        if isinstance(step, Give):
            if self._store.carry_out(cell.promise(me, view, step.promise)):
                self._report.say(f"{PROMISED} {step.promise.target}, position {step.promise.position:X}")
                return True
            return False
        return self._withdraw(view, step)

    def _skip_voter_of(self, target: str, view: View) -> None:
        """Nobody here is to wait for the voter of a site that may be lost: etcd answers by the others."""
        voter = self._settings.members[target].voter
        if voter and view.round and not view.round.planned:
            self._fence.skip_voter(voter, SKIP_VOTER_S)

    def _let_others_go_first(self, view: View) -> None:
        """The candidate of a switchover is fenced off last, or a record meanwhile would leave it behind."""
        if view.round and view.round.given_to(self._settings.me):
            time.sleep(max(0.0, self._memory.round_since + LAST_BY_S - time.monotonic()))

    def _withdraw(self, view: View, step: Withdraw) -> bool:
        cell, me = self._settings.cell, self._settings.me
        if not self._store.carry_out(cell.withdraw(me, view, step.leader)):
            return True
        if step.members:
            self._fence.lift(step.members)
            self._blocked = self._fence.blocked()
        self._memory.of_round = None
        self._report.say(f"{LIFTED}: {step.why}")
        return True

    def _coordination(self, seen: Seen, step: CoordinationStep) -> bool:
        cell, memory = self._settings.cell, self._memory
        if isinstance(step, Refuse):
            self._report.refuse(step.why)
            return False
        if isinstance(step, Open | TakeOver):
            # Before it is sent: it may take place though no answer comes.
            memory.coordinates, memory.round_since = step.round.identity, time.monotonic()
            wanted, said = cell.open(seen.view, step.round), f"{OPENED} {step.round.target}"
            if isinstance(step, TakeOver):
                wanted = cell.take_over(self._settings.me, seen.view, step.round)
                said = f"{TAKEN_OVER} {step.round.target}, of {step.round.coordinator}"
            if self._store.carry_out(wanted):
                self._report.say(said)
            return True
        if isinstance(step, Close):
            if self._store.carry_out(cell.close(step.round)):
                if seen.view.leader and seen.view.leader.name == step.round.target:
                    memory.gave_up = time.monotonic()
                self._report.say(f"closed the round against {step.round.target}: {step.why}")
            return True
        return self._release(seen, step)

    def _release(self, seen: Seen, step: Release) -> bool:
        done = self._store.carry_out(
            self._settings.cell.release(seen.view, step.round, step.counted, seen.sync_text, step.heir)
        )
        counted = ", ".join(sorted(step.counted))
        if done:
            hands = f"into the hands of {step.heir}" if step.heir else "to whoever wins Patroni's race"
            self._report.say(f"{RELEASED} {step.round.target}'s leader key {hands}; promised: {counted}")
        return True
