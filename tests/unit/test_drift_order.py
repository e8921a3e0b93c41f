from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_file, placement
from mirrorforce.drift import order
from mirrorforce.drift.finding import Finding, Mend
from mirrorforce.workspace import ROOT
from tests.estates import estates

if TYPE_CHECKING:
    from mirrorforce.estate import Estate

MODEL = estate_file.load(ROOT / "stacks" / "lab.yaml")


def finding(mend: Mend, item: str = "x") -> Finding:
    return Finding(("seal",), mend.where, item, "", "", "y", "serious", mend)


@given(estates(), st.data())
def test_no_cell_misses_two_members_and_primaries_come_last(model: Estate, data: st.DataObject) -> None:
    hosts = placement.hosts(model)
    names = [host.name for host in hosts]
    wanted = data.draw(st.sets(st.sampled_from(names))) if names else set()
    primaries = {
        data.draw(st.sampled_from(members)).name
        for cell in model.cells
        if (members := [host for host in hosts if host.cell == cell.name])
    }
    by_name = {host.name: host for host in hosts}
    waves = order.waves(hosts, wanted, primaries)
    assert sorted(name for wave in waves for name in wave) == sorted(wanted)
    place = {name: number for number, wave in enumerate(waves) for name in wave}
    for primary in primaries & set(wanted):
        others = [name for name in wanted if by_name[name].cell == by_name[primary].cell and name != primary]
        assert all(place[name] < place[primary] for name in others if name not in primaries)
    for wave in waves:
        assert wave
        cells = [by_name[name].cell for name in wave if by_name[name].cell]
        assert len(cells) == len(set(cells))
        assert sum(by_name[name].role == "control" for name in wave) <= 1


def test_what_may_be_noticed_is_left_alone_without_an_agreement() -> None:
    mends = [
        Mend("stack", "up", "lab-interconnect"),
        Mend("stack", "up", "lab-east"),
        Mend("host", "remove", "east-na1", {"act": "remove_file", "path": "/a"}, disruptive=True),
        Mend("host", "unhold", "east-na1", {"act": "unhold", "name": "a"}),
        Mend("host", "unhold", "east-na1", {"act": "unhold", "name": "a"}),
        Mend("converge", "converge", "west-na1"),
        Mend("converge", "restart etcd", "east-control", disruptive=True),
        Mend("converge", "hosts", "east-control"),
        Mend("restart", "restart", "east-na1", disruptive=True),
        Mend("hand", "look"),
    ]
    found = [finding(mend, str(number)) for number, mend in enumerate(mends)]
    hosts = placement.hosts(MODEL)
    careful = order.plan(found, hosts, {"east-na1"}, agreed=False)
    assert careful.stacks == ("lab-east", "lab-interconnect")
    assert careful.converge == {"west-na1"}
    assert careful.acts == {"east-na1": ({"act": "unhold", "name": "a"},)}
    assert careful.waves == (("west-na1",), ("east-na1",))
    assert careful.restarts == ()
    whole = order.plan(found, hosts, {"east-na1"}, agreed=True)
    assert whole.converge == {"west-na1", "east-control"}
    assert len(whole.acts["east-na1"]) == 2
    assert whole.restarts == ("east-na1",)
    assert order.plan([], hosts, set(), agreed=True).empty


def test_a_member_without_its_wal_is_copied_before_it_is_converged_or_left_alone() -> None:
    found = [
        finding(Mend("copy", "copy", "west-na1", disruptive=True), "pg_wal"),
        finding(Mend("converge", "converge", "west-na1"), "a"),
        finding(Mend("converge", "converge", "legacy-na2"), "b"),
    ]
    hosts = placement.hosts(MODEL)
    whole = order.plan(found, hosts, set(), agreed=True, without_wal=["legacy-na2"])
    assert whole.copies == whole.converge == {"west-na1", "legacy-na2"}
    assert order.plan(found[:1], hosts, set(), agreed=True).waves == (("west-na1",),)
    careful = order.plan(found, hosts, set(), agreed=False, without_wal=["legacy-na2"])
    assert (careful.copies, careful.converge, careful.waves) == (frozenset(), frozenset(), ())


def test_hosts_that_are_new_are_converged_whatever_was_found() -> None:
    hosts = placement.hosts(MODEL)
    assert order.plan([], hosts, set(), agreed=True, stale=["dev-app"]).waves == (("dev-app",),)
