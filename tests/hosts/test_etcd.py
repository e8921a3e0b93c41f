"""etcd: health of every voter, one leader, in the right site; authentication on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorforce.estate import Host
    from mirrorforce.operations.checked import Checked, Found


def test_the_voter_is_healthy(control: Host, checked: Checked, found: Found) -> None:
    checked.of(control, "etcd")
    member = next(one for one in checked.status()["etcd"]["members"] if one["host"] == control.name)
    assert member["healthy"], f"{control.name}: {member['reason']}"
    found(f"etcd {member['version']}, term {member['term']}")


def test_the_voter_refuses_whoever_names_no_user(control: Host, checked: Checked) -> None:
    answer = checked.of(control, "etcd")["range_without_user"]
    refused = "user name is empty", "permission denied"
    assert any(words in str(answer["body"]) for words in refused), f"a read without a user: {answer}"


def test_all_voters_agree_on_one_leader(checked: Checked, found: Found) -> None:
    voters = [host for host in checked.hosts if host.role == "control"]
    status = {host.name: checked.of(host, "etcd")["status"] for host in voters}
    leaders = {name: one.get("leader") for name, one in status.items()}
    members = {one["header"]["member_id"]: name for name, one in status.items()}
    clusters = {one["header"]["cluster_id"] for one in status.values()}
    assert len(clusters) == 1, f"voters are of {len(clusters)} clusters"
    assert len(set(leaders.values())) == 1, f"voters follow different leaders: {leaders}"
    leader = members.get(next(iter(leaders.values())))
    assert leader is not None, f"the leader is none of the estate's voters: {leaders}"
    found(f"{leader} leads {len(voters)} voters")


def test_no_alarm_stands(control: Host, checked: Checked) -> None:
    errors = checked.of(control, "etcd")["status"].get("errors", [])
    assert not errors, f"alarms: {errors}"


def test_the_leader_is_away_from_primaries(checked: Checked, found: Found) -> None:
    report = checked.status()
    of_primaries = {checked.primary(cell).site for cell in checked.estate.cells}
    away = {site.name for site in checked.estate.mirrored_sites} - of_primaries
    leader = report["etcd"]["leader"]
    assert leader is not None, "no voter says that it leads"
    if away:
        assert leader["site"] in away, (
            f"etcd is led from {leader['site']}; {', '.join(sorted(away))} would be better"
        )
        found(f"led from {leader['site']}, primaries are in {', '.join(sorted(of_primaries))}")
    else:
        found(f"led from {leader['site']}; every site has a primary")
