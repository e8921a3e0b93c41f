from __future__ import annotations

import os
import signal

import pytest

from mirrorforce.onhost.failover_agent import relapse
from mirrorforce.onhost.failover_agent.relapse import Relapse, has_demoted

PATRONI = 4711


@pytest.mark.parametrize(
    ("led", "etcd_answers", "primary", "demoted"),
    [
        (True, False, False, True),
        (True, False, True, False),  # failsafe mode, or not yet
        (True, False, None, False),  # it stops, or starts
        (True, True, False, False),  # a switchover, or a standby from the first
        (False, False, False, False),
    ],
)
def test_only_a_leader_that_lost_etcd_and_runs_as_a_standby_has_demoted(
    *, led: bool, etcd_answers: bool, primary: bool | None, demoted: bool
) -> None:
    assert has_demoted(led=led, etcd_answers=etcd_answers, primary=primary) is demoted


class Host:
    """What the agent of a member knows, and whom it ended."""

    def __init__(self) -> None:
        self.led, self.etcd_answers, self.primary = True, True, True
        self.ended: list[int] = []
        self.watch = Relapse(lambda: self.led, lambda: self.etcd_answers, lambda: self.primary)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host()
    monkeypatch.setattr(relapse, "main_process", lambda: PATRONI)

    def kill(process: int, how: int) -> None:
        assert how == signal.SIGKILL
        one.ended.append(process)

    monkeypatch.setattr(os, "kill", kill)
    return one


def test_patroni_is_ended_once_for_each_loss_of_etcd(host: Host) -> None:
    host.watch.look()
    host.etcd_answers = False
    host.watch.look()
    assert host.ended == []
    host.primary = False
    host.watch.look()
    host.watch.look()
    assert host.ended == [PATRONI]
    host.etcd_answers = True
    host.watch.look()
    host.etcd_answers = False
    host.watch.look()
    assert host.ended == [PATRONI, PATRONI]
