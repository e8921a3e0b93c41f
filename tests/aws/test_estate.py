"""The life of one estate on AWS: the real program, engine, provider and policy pack; moto plays the account.

The tests stand on each other, through fixtures: each may be run alone, and brings up what it needs.
"""

from __future__ import annotations

import json
import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from mirrorforce import engine, engine_cli, placement
from mirrorforce.drift import infrastructure
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import bootstrap_policies
from mirrorforce.operations.bootstrap_names import footing
from mirrorforce.operations.preview import POLICY_PACK
from tests.aws import by_hand, declared, emulator, life, remains
from tests.aws.cloud import ACCOUNT
from tests.aws.life import Life
from tests.estate_files import put

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mirrorforce.drift.finding import Finding
    from mirrorforce.engine import Outcome
    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory
    from tests.aws.by_hand import ByHand
    from tests.aws.cloud import Cloud

pytestmark = pytest.mark.skipif(
    bool(life.plugin_that_cannot_be_had()), reason=life.plugin_that_cannot_be_had()
)

BY_UP = os.environ.get("MIRRORFORCE_ZOO") == "all"
"""Whether what is done by hand is mended by `up`, which takes minutes; else by hand, as far as that can."""

DONE = [each for each in by_hand.ALL if each.undo or BY_UP]

LOOKED: dict[str, set[str]] = {}
"""The actions that were called to look alone, by what looked."""


@pytest.fixture(scope="module")
def one(cloud: Cloud, home: None) -> Iterator[Life]:  # noqa: ARG001
    """The estate, declared; the guard rails look at every operation of its stacks."""
    declared.clear(declared.ENV)
    for region in life.REGIONS:
        cloud.publish_images(region)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(POLICY_PACK, life.POLICY_PACK)
        yield Life(cloud)
    declared.clear(declared.ENV)


@pytest.fixture(scope="module")
def before(one: Life) -> set[tuple[str, str, str]]:
    """What is in the account before anything is made."""
    return remains.everything(one.cloud, life.REGIONS)


@pytest.fixture(scope="module")
def estate(one: Life) -> Estate:
    return one.declare()


@pytest.fixture(scope="module")
def joined_too_early(one: Life, estate: Estate, before: set[tuple[str, str, str]]) -> MirrorforceError:
    """What is said where the interconnect comes before its sites."""
    assert before
    one.secrets(estate)
    with pytest.raises(MirrorforceError) as refused:
        engine.up(one.ws, f"{declared.ENV}-interconnect")
    return refused.value


@pytest.fixture(scope="module")
def half_way(
    one: Life, estate: Estate, before: set[tuple[str, str, str]], joined_too_early: MirrorforceError
) -> set[str]:
    """The names of the hosts that there are after one `up` was stopped by Ctrl-C and one was killed."""
    assert joined_too_early
    one.interrupted_up(estate, "dev", "ec2:CreateSubnet")
    one.killed_up("legacy", "ec2:CreateSubnet")
    assert remains.everything(one.cloud, life.REGIONS) - before
    return set(instances(one.cloud))


@pytest.fixture(scope="module")
def hosts(one: Life, estate: Estate, half_way: set[str]) -> Inventory:
    """The hosts of the estate, which stands after a second `up`."""
    assert len(half_way) < len(placement.hosts(estate))
    return one.up(estate)


def instances(cloud: Cloud) -> dict[str, list[dict[str, Any]]]:
    """The instances in all regions that are not terminated, by name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for region in life.REGIONS:
        for reservation in cloud.client("ec2", region).describe_instances()["Reservations"]:
            for each in reservation["Instances"]:
                name = next(tag["Value"] for tag in each["Tags"] if tag["Key"] == "Name")
                if each["State"]["Name"] != "terminated":
                    found.setdefault(name, []).append(each)
    return found


def told(outcomes: Mapping[str, Outcome]) -> dict[str, set[str]]:
    """What would change, by site; a stack that could not be looked at fails."""
    assert not [error for outcome in outcomes.values() for error in outcome.errors]
    assert not [str(loss) for outcome in outcomes.values() for loss in outcome.losses]
    return {site: {str(step) for step in found.changed} for site, found in outcomes.items() if found.changed}


def test_an_interconnect_before_its_sites_names_the_site_and_the_next_step(
    joined_too_early: MirrorforceError,
) -> None:
    assert "is not up: stack testaws-" in str(joined_too_early)
    assert "mirrorforce up testaws" in str(joined_too_early)


def test_no_file_beside_the_states_own_can_be_left_half_written(one: Life, half_way: set[str]) -> None:
    assert half_way is not None
    assert list(one.ws.backend.rglob("*.json"))
    assert not list(one.ws.backend.rglob("*.attrs"))


def test_stacks_that_were_left_half_way_are_taken_up_again_and_nothing_is_made_twice(
    one: Life, estate: Estate, half_way: set[str], hosts: Inventory
) -> None:
    wanted = {host.name for host in placement.hosts(estate)}
    assert half_way < wanted
    found = instances(one.cloud)
    own = [{"Name": "tag:estate", "Values": [declared.ENV]}]
    networks = [one.cloud.client("ec2", each).describe_vpcs(Filters=own)["Vpcs"] for each in life.REGIONS]
    assert sum(map(len, networks)) == len(estate.sites)
    assert {host.name for host in hosts.hosts} == wanted == set(found)
    assert {name for name, each in found.items() if len(each) > 1} == set()


def test_the_inventory_says_where_hosts_are_and_by_which_key_they_are_known(
    one: Life, estate: Estate, hosts: Inventory
) -> None:
    """`up` has read it, and held it against its schema."""
    found = instances(one.cloud)
    for host in placement.hosts(estate):
        (instance,) = found[host.name]
        known = hosts.host(host.name)
        assert (known.address, instance["PrivateIpAddress"]) == (host.address, str(host.address))
        assert known.host_key == emulator.host_key(instance["InstanceId"])
        assert [volume.device for volume in known.volumes] == [
            f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{mapped['Ebs']['VolumeId'].replace('-', '')}"
            for mapped in sorted(instance["BlockDeviceMappings"], key=lambda each: str(each["DeviceName"]))
            if mapped["DeviceName"] in {"/dev/sdf", "/dev/sdg"}
        ]


def test_all_that_the_program_says_of_a_resource_reaches_the_provider(
    one: Life, estate: Estate, hosts: Inventory
) -> None:
    """An argument that the provider has another name for is dropped without a word: it comes back nowhere."""
    assert hosts
    for stack in engine.stacks_of(estate):
        answer = engine_cli.call(one.ws, ["stack", "export", "--stack", str(stack)])
        for resource in json.loads(answer.stdout)["deployment"]["resources"]:
            if resource["type"].startswith("aws:"):
                given = resource["inputs"].items()
                said = {name for name, value in given if value not in ([], {}) and not name.startswith("__")}
                assert said <= set(resource["outputs"]), resource["urn"]


def test_a_preview_of_what_stands_finds_nothing(one: Life, estate: Estate, hosts: Inventory) -> None:
    assert hosts
    calls = len(one.cloud.actions())
    outcomes = one.look(estate)
    LOOKED["preview"] = set(one.cloud.actions()[calls:])
    assert told(outcomes) == {}
    assert len(outcomes) == len(estate.sites) + 1


def test_a_refresh_of_what_stands_finds_nothing(one: Life, estate: Estate, hosts: Inventory) -> None:
    assert hosts
    calls = len(one.cloud.actions())
    assert told(one.refresh(estate)) == {}
    LOOKED["refresh"] = set(one.cloud.actions()[calls:])


@pytest.fixture(scope="module")
def looks(one: Life, estate: Estate, hosts: Inventory) -> tuple[list[Finding], list[Finding]]:
    """What is found after all was done by hand, and after it was mended: by hand again, or by `up`."""
    assert hosts
    for each in DONE:
        each.make(one.cloud.client("ec2", each.region))
    sites = dict.fromkeys(each.site for each in DONE)
    found = findings(one.refresh(estate, *sites))
    for each in DONE:
        if each.undo and not (BY_UP and each.mended):
            each.undo(one.cloud.client("ec2", each.region))
    if not BY_UP:
        return found, []
    one.up(estate, *sites)
    return found, findings(one.refresh(estate, *sites))


def findings(outcomes: Mapping[str, Outcome]) -> list[Finding]:
    return [each for outcome in outcomes.values() for each in infrastructure.of_refresh(outcome)]


@pytest.mark.parametrize("done", DONE, ids=[each.name for each in DONE])
def test_what_somebody_does_by_hand_is_found_and_belongs_to_its_stack(
    done: ByHand, looks: tuple[list[Finding], list[Finding]]
) -> None:
    seen = {(each.subject, each.item): each for each in looks[0]}
    found = seen[done.resource, done.item]
    assert f"stack testaws-{done.site}" in found.declared_in
    assert found.mend.by == ("stack" if done.mended else "hand")


@pytest.mark.skipif(BY_UP, reason="what hangs on a host that is gone is found as well")
def test_nothing_is_found_but_what_was_done_by_hand(looks: tuple[list[Finding], list[Finding]]) -> None:
    assert {each.subject for each in looks[0]} == {each.resource for each in DONE}


@pytest.mark.skipif(not BY_UP, reason="mended by hand in this run: make test-all mends by up")
def test_what_was_done_by_hand_is_mended_and_nothing_is_found_after_it(
    looks: tuple[list[Finding], list[Finding]],
) -> None:
    assert looks[1] == []


def host(name: str) -> set[str]:
    """The operations that a member's host is made by, and nothing else of it."""
    return {
        f"create Instance {name}",
        f"create HostKey {name}-host-key",
        f"create MetricAlarm {name}-down",
        *(f"create Volume {name}-{volume}" for volume in ("data", "wal")),
        *(f"create VolumeAttachment {name}-{volume}-attachment" for volume in ("data", "wal")),
    }


def without_rules(found: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What would change besides rules of security groups that are there, by site."""
    rules = "update SecurityGroup "
    kept = {site: {step for step in steps if not step.startswith(rules)} for site, steps in found.items()}
    return {site: steps for site, steps in kept.items() if steps}


@pytest.fixture(scope="module")
def grown(one: Life, hosts: Inventory) -> dict[str, set[str]]:
    """What a preview tells, by site, of one more member, one more cell and wider volumes of a third."""
    assert hosts
    cell = declared.document()["cells"]["na2"]
    changed = one.declare(
        # With two copies, so that it stays durable wherever it is led from; hosts do not depend on that.
        put("cells", "na1", "members", "legacy", value=2),
        put("cells", "na1", "synchronous_copies", value=2),
        put("cells", "na2", "volumes", "data_mib", value=204800),
        put("cells", "na3", value=cell),
    )
    return told(one.look(changed))


@pytest.mark.parametrize("site", ["east", "west", "legacy"])
def test_an_estate_that_grows_gets_what_is_new_and_nothing_else_moves(
    site: str, grown: dict[str, set[str]]
) -> None:
    one_more_cell = {*host(f"{site}-na3"), f"create SecurityGroup testaws-{site}-database-na3"}
    one_more_member = host("legacy-na1-2") if site == "legacy" else set()
    wider = {f"update Volume {site}-na2-data"}
    assert without_rules(grown)[site] == one_more_cell | one_more_member | wider


def test_new_hosts_are_let_in_by_others_and_sites_without_any_stay_as_they_are(
    grown: dict[str, set[str]],
) -> None:
    assert "update SecurityGroup testaws-legacy-database-na1" in grown["legacy"]
    assert without_rules(grown).keys() == {"east", "west", "legacy"}


def test_a_plan_that_takes_data_away_stops_until_it_is_confirmed_by_name(one: Life, hosts: Inventory) -> None:
    assert hosts
    changed = one.declare(
        lambda document: document["cells"].pop("na2"), put("tenants", "billing", "cell", value="na1")
    )
    with pytest.raises(MirrorforceError) as refused:
        one.up(changed, "east")
    assert "testaws-east: delete Volume east-na2-data" in refused.value.message
    assert "--accept-loss east-na2" in refused.value.next_step
    assert "east-na2" in instances(one.cloud)


def test_what_breaks_a_guard_rail_is_stopped(one: Life, hosts: Inventory) -> None:
    """The pack looked at everything so far, and let it pass."""
    assert hosts
    change = put("sites", "dev", "aws", "instance_types", value={"application": "m5.large"})
    found = one.look(one.declare(change), "dev")["dev"]
    assert [error for error in found.errors if error.startswith("guard rail families-are-allowed")], found


def allowed(document: Mapping[str, Any]) -> list[str]:
    """The actions that a policy allows, as patterns."""
    return [
        action
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]


def beyond(called: set[str], document: Mapping[str, Any]) -> set[str]:
    """Actions that were called, and that a policy does not allow."""
    patterns = allowed(document)
    return {action for action in called if not any(fnmatchcase(action, pattern) for pattern in patterns)}


def test_an_estate_that_is_taken_down_leaves_nothing_and_roles_were_allowed_all_of_it(
    one: Life, before: set[tuple[str, str, str]], hosts: Inventory
) -> None:
    assert hosts
    estate = one.declare()
    one.down(estate)
    assert remains.everything(one.cloud, life.REGIONS) - before == set()
    assert not one.ws.state.exists()

    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/somebody"
    of = footing(estate, arn, repository="acme/estate")
    assert beyond(set(one.cloud.actions()), bootstrap_policies.deploy(of)) == set()
    for looked in LOOKED.values():
        assert looked
        assert beyond(looked, bootstrap_policies.preview(of)) == set()
