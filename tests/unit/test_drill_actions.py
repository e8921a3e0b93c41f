"""Which acts can be carried out where; what cannot is said before anything is touched."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest

from mirrorforce.drills import actions, ledger
from mirrorforce.drills.actions import cells, network
from mirrorforce.drills.actions.carrying import ACTIONS
from mirrorforce.drills.actions.context import Context
from mirrorforce.drills.acts import Act, Verb
from mirrorforce.errors import MirrorforceError
from mirrorforce.estate import Estate, Platform, Site
from mirrorforce.inventory import Inventory, InventoryHost, VolumeMount
from mirrorforce.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


def site(name: str, platform: Platform, third: int) -> Site:
    return Site(name, platform, name, IPv4Network(f"198.18.{third}.0/24"), mirrored=True, application_hosts=0)


def host(name: str, site: str) -> InventoryHost:
    volumes = (VolumeMount("wal", "/srv/postgres/wal"),)
    return InventoryHost(
        name, site, "database", "na1", IPv4Address("198.18.1.20"), "", "mirrorforce", "", volumes
    )


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path))
    sites = (site("east", "lab", 1), site("west", "static", 2))
    estate = Estate("mixed", "mixed.test", "fast", {}, sites, (), (), (), ())
    hosts = (host("east-na1", "east"), host("west-na1", "west"))
    return Context(Workspace("mixed"), estate, Inventory("mixed", hosts))


def test_every_verb_has_an_action() -> None:
    assert ACTIONS.keys() == set(Verb)


@pytest.mark.parametrize(
    "act",
    [
        Act(Verb.POWER_OFF, hosts=("west-na1",)),
        Act(Verb.POWER_OFF, sites=("west",), hosts=("west-na1",)),
        Act(Verb.CUT_ONE_WAY, links=(("east", "west"),)),
        Act(Verb.ISOLATE, sites=("west",)),
        Act(Verb.SLOW_DISK, hosts=("east-na1", "west-na1"), amount=0.1),
    ],
)
def test_power_wires_and_disks_of_others_are_left_alone(ctx: Context, act: Act) -> None:
    assert "west is none" in actions.refusal(ctx, act)
    with pytest.raises(actions.SkippedError, match="needs a lab"):
        actions.carry_out(ctx, act)
    assert ledger.outstanding(ctx.ws) == ()


def test_processes_of_any_platform_can_be_reached(ctx: Context) -> None:
    assert actions.refusal(ctx, Act(Verb.FREEZE, hosts=("west-na1",))) == ""
    assert actions.refusal(ctx, Act(Verb.POWER_OFF, hosts=("east-na1",))) == ""


def test_a_packet_filter_that_parts_drops_both_ways_and_comes_before_all_others() -> None:
    text = network.parting(["198.18.3.20", "198.18.2.20"])
    assert "ip saddr { 198.18.2.20, 198.18.3.20 } drop" in text
    assert "ip daddr { 198.18.2.20, 198.18.3.20 } drop" in text
    assert text.count("priority -200") == 2


def test_undoing_what_does_not_last_does_nothing(ctx: Context) -> None:
    actions.undo(ctx, Act(Verb.KILL, hosts=("west-na1",)))
    assert ledger.outstanding(ctx.ws) == ()


def test_a_fault_that_could_not_be_made_stays_written_down(ctx: Context) -> None:
    act = Act(Verb.FREEZE, hosts=("west-na1",))
    with pytest.raises(MirrorforceError, match="no ssh_config"):
        actions.carry_out(ctx, act)
    assert [entry.act for entry in ledger.outstanding(ctx.ws)] == [act]


def test_healing_names_all_that_it_could_not_undo(ctx: Context) -> None:
    ledger.add(ctx.ws, [Act(Verb.FREEZE, hosts=("west-na1",)), Act(Verb.STOP_ETCD, hosts=("west-na1",))])
    with pytest.raises(MirrorforceError, match=r"(?s)start etcd on west-na1: .*thaw west-na1: "):
        actions.heal(ctx)
    assert len(ledger.outstanding(ctx.ws)) == 2


def test_a_volume_that_a_host_does_not_have_is_named(ctx: Context) -> None:
    assert ctx.mount("east-na1", "wal") == "/srv/postgres/wal"
    with pytest.raises(MirrorforceError, match="east-na1 has no volume of its own for data"):
        ctx.mount("east-na1", "data")


def test_a_cell_s_act_needs_its_cell(ctx: Context) -> None:
    with pytest.raises(MirrorforceError, match="needs a cell"):
        cells.write_wal(ctx, Act(Verb.WRITE_WAL, amount=16))
