"""What is asked of the surviving site's hosts, and what is removed from those that come back."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from mirrorforce import remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.inventory import Inventory, InventoryHost, VolumeMount
from mirrorforce.operations import survivor
from mirrorforce.operations.loss import Position
from mirrorforce.remote import Result
from mirrorforce.workspace import Workspace
from tests.estates import estate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mirrorforce.estate import Role

WS = Workspace("lab")
Commands = dict[str, list[str]]


def host(name: str, role: Role, *mounts: str) -> InventoryHost:
    volumes = tuple(VolumeMount(mount.rpartition("/")[2], mount) for mount in mounts)
    site, _, cell = name.partition("-")
    address = IPv4Address("198.18.1.20")
    return InventoryHost(name, site, role, cell, address, "", "mirrorforce", "", volumes)


MEMBER = host("east-na1", "database", "/srv/postgres/data", "/srv/postgres/wal")
CONTROL = host("east-control", "control")
APP = host("dev-app", "application")
INVENTORY = Inventory("lab", (CONTROL, MEMBER, APP))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Commands]:
    """Answers for hosts by name; gives the commands that they were sent."""

    def answer(**answers: Result) -> Commands:
        sent: Commands = {}

        def run_on_all(
            _ws: Workspace, hosts: Iterable[str], command: object, **_options: object
        ) -> dict[str, Result]:
            names = list(hosts)
            sent.update({name: command(name) if callable(command) else command for name in names})  # type: ignore[misc]
            return {
                name: answers.get(name.replace("-", "_"), Result(0, "", "", timed_out=False))
                for name in names
            }

        monkeypatch.setattr(remote, "run_on_all", run_on_all)
        return sent

    return answer


def said(document: dict[str, object]) -> Result:
    return Result(0, json.dumps(document), "", timed_out=False)


SILENT = Result(255, "", "no route to host", timed_out=False)


def test_a_standby_that_has_received_nothing_since_it_started_holds_what_it_replayed(
    asked: Callable[..., Commands],
) -> None:
    asked(east_na1=said({"received": 0, "replayed": 4096, "replayed_at": None, "timeline": 3}))
    assert survivor.positions(WS, [MEMBER]) == (Position("east-na1", "east", 4096, 4096, "", 3),)


def test_a_member_that_does_not_answer_has_no_position(asked: Callable[..., Commands]) -> None:
    asked(east_na1=SILENT)
    assert survivor.positions(WS, [MEMBER]) == ()


def test_a_voter_counts_where_it_answers_and_has_data(asked: Callable[..., Commands]) -> None:
    asked(east_control=Result(1, "", "", timed_out=False))
    assert survivor.voters_with_data(WS, [CONTROL]) == ()
    asked()
    assert survivor.voters_with_data(WS, [CONTROL]) == ("east-control",)


def test_a_voter_is_told_to_join_before_its_data_goes(asked: Callable[..., Commands]) -> None:
    sent = asked()
    survivor.erase(WS, INVENTORY, ["east-control", "east-na1", "dev-app"])
    script = sent["east-control"][-1]
    assert script.index("INITIAL_CLUSTER_STATE=existing") < script.index(
        "rm -rf /var/lib/etcd/mirrorforce/member"
    )
    assert "rm -rf /srv/postgres/data/17 /srv/postgres/wal/17" in sent["east-na1"][-1]
    assert "rm" not in sent["dev-app"][-1]


def test_a_host_that_could_not_be_erased_is_named(asked: Callable[..., Commands]) -> None:
    asked(east_na1=SILENT)
    with pytest.raises(MirrorforceError, match="east-na1: no route to host"):
        survivor.erase(WS, INVENTORY, ["east-na1"])


def test_users_of_etcd_log_in_anew_and_nobody_else_is_touched(asked: Callable[..., Commands]) -> None:
    sent = asked()
    survivor.log_in_anew(WS, INVENTORY.hosts)
    assert set(sent) == {"east-control", "east-na1"}


def test_a_voter_with_a_majority_behind_it_is_asked_before_it_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripts: list[str] = []

    def run(_ws: Workspace, _host: str, command: list[str], **_options: object) -> Result:
        scripts.append(command[-1])
        return Result(1, "", "it has a majority", timed_out=False)

    monkeypatch.setattr(remote, "run", run)
    with pytest.raises(MirrorforceError, match="from east-control's data: it has a majority"):
        survivor.rebuild(WS, estate(), CONTROL)
    script = scripts[0]
    assert script.index("endpoint health") < script.index("exit 1") < script.index("systemctl stop")
    assert "east-control=https://198.18.1.20:2380" in script
