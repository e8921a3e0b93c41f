"""The lab's legacy site on machines that exist already: adopted, converged, verified, and left as they are.

The tests stand in the order in which somebody adopts machines, the one of docs/howto/static.md, and share one
estate, `testst`.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mirrorforce import engine, estate_file, inventory, placement
from mirrorforce.errors import ExitCode
from mirrorforce.lab import disks
from mirrorforce.lab.specs import NetworkSpec
from mirrorforce.workspace import ROOT
from tests.lab import aws_in_the_lab, facility, small_lab
from tests.lab.facility import Facility
from tests.lab.user import Done, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# The SDK makes an event loop when it is imported, and leaves the futures of a program that failed unread.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ENV = "testst"
OCTETS = {"east": 61, "west": 62, "legacy": 63, "dev": 64}
RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+"
    r"unreachable=(?P<unreachable>\d+)\s+failed=(?P<failed>\d+)",
    re.MULTILINE,
)
KEY = re.compile(r"the estate's public key: (ssh-ed25519 \S+ \S+)")


def network(site: str) -> NetworkSpec:
    return NetworkSpec(ENV, site, f"198.18.{OCTETS[site]}.0/24")


def write(document: dict[str, Any]) -> None:
    (ROOT / "stacks" / f"{ENV}.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def colo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    """The facility, with its machines, before anybody thought of an estate."""
    made = Facility(
        small_lab.prepare(facility.ESTATE, facility.BLOCK, tmp_path_factory.mktemp("colo")), f"{ENV}.test"
    )
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def document(colo: Facility) -> dict[str, Any]:
    """The estate file: the lab's, with the legacy site on the facility's machines."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "stacks" / "lab.yaml").read_text(encoding="utf-8"))
    found |= {"estate": ENV, "domain": f"{ENV}.test"}
    for name, site in found["sites"].items():
        site["cidr"] = network(name).cidr
    found["sites"][facility.SITE] |= {"platform": "static", "static": colo.static()}
    return found


@pytest.fixture(scope="module")
def user(document: dict[str, Any], colo: Facility) -> Iterator[User]:
    write(document)
    someone = User(env=ENV)
    someone.mirrorforce("down", ENV, "--yes")
    colo.wire(network(name) for name in OCTETS if name != facility.SITE)
    yield someone
    someone.mirrorforce("down", ENV, "--yes")
    for command, seconds in someone.seconds.items():
        print(f"{seconds:7.1f} s  {command}")  # noqa: T201 (shown by pytest -s, and where a test failed)


@contextmanager
def declared_otherwise(document: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """The estate file with a change to the machines of the static site, for a while."""
    other = json.loads(json.dumps(document))
    change(other["sites"][facility.SITE]["static"]["hosts"])
    write(other)
    try:
        yield
    finally:
        write(document)


def swap_keys(machines: dict[str, Any]) -> None:
    one, other = machines["legacy-na1"], machines["legacy-na2"]
    one["host_key"], other["host_key"] = other["host_key"], one["host_key"]


def refused(done: Done) -> str:
    assert done.status == ExitCode.ERROR, done
    return done.err + done.out


class TestBeforeAnythingIsDone:
    def test_whoever_is_not_let_in_yet_is_told_the_key_to_let_in(self, user: User, colo: Facility) -> None:
        done = user.mirrorforce("adopt", ENV)
        text = refused(done)
        assert "3 of 3 machines" in text
        (key,) = set(KEY.findall(done.out))
        # A terminal is as wide as it is: the message is compared without its line breaks.
        assert f"have the line: {key}" in " ".join(text.split())
        colo.let_in(key)

    def test_machines_as_declared_can_become_hosts(self, user: User) -> None:
        done = user.mirrorforce("adopt", ENV)
        assert done.status == ExitCode.AS_DECLARED, done
        assert "all 3 machines can become hosts" in done.out

    def test_keys_that_are_those_of_other_hosts_are_told_with_their_owners(
        self, user: User, document: dict[str, Any]
    ) -> None:
        with declared_otherwise(document, swap_keys):
            text = " ".join(refused(user.mirrorforce("up", ENV)).split())
        assert "2 of 3 machines are not as" in text
        assert "sites.legacy.static.hosts.legacy-na1.host_key" in text
        assert "declared as that of legacy-na2" in text
        assert "SHA256:" in text
        assert disks.all_recorded(ENV) == (), "up made hosts although machines are wrong"

    def test_a_machine_without_power_is_told_with_its_address(self, user: User, colo: Facility) -> None:
        colo.power_off("legacy-na1")
        try:
            text = " ".join(refused(user.mirrorforce("adopt", ENV)).split())
        finally:
            colo.power_on("legacy-na1")
        assert (
            f"sites.legacy.static.hosts.legacy-na1.address ({colo.spec('legacy-na1').address} port 22)"
            in text
        )
        assert "1 of 3 machines" in text

    def test_a_machine_of_another_name_is_told_by_the_name_it_has(self, user: User, colo: Facility) -> None:
        colo.run("legacy-na2", "sudo hostname db7")
        try:
            text = " ".join(refused(user.mirrorforce("adopt", ENV)).split())
        finally:
            colo.run("legacy-na2", "sudo hostname legacy-na2")
        assert "sites.legacy.static.hosts.legacy-na2 (" in text
        assert "a machine that calls itself db7" in text

    def test_a_machine_without_its_volumes_and_rights_is_told_both(self, user: User, colo: Facility) -> None:
        colo.run(
            "legacy-na1",
            "sudo umount /srv/postgres/wal && sudo mv /etc/sudoers.d/mirrorforce /etc/sudoers.d-mirrorforce",
        )
        try:
            text = " ".join(refused(user.mirrorforce("adopt", ENV)).split())
        finally:
            # Nobody is left who could: the machine gets its rights back from its disk's console.
            colo.power_off("legacy-na1")
            folder = disks.folder(facility.ESTATE, "legacy-na1")
            (moved,) = folder.rglob("sudoers.d-mirrorforce")
            moved.rename(moved.parent / "sudoers.d" / "mirrorforce")
            colo.power_on("legacy-na1")
        assert "no file system of its own at /srv/postgres/wal" in text
        assert "sudo says to mirrorforce" in text


@pytest.fixture(scope="module")
def first_up(user: User, colo: Facility) -> Done:
    """The estate over adopted machines, once."""
    assert all(colo.running().values())
    done = user.mirrorforce("up", ENV)
    assert done.status == ExitCode.AS_DECLARED, done
    return done


@pytest.mark.usefixtures("first_up")
class TestAnEstateOverAdoptedMachines:
    def test_every_check_passes_on_every_host(self, user: User) -> None:
        report = json.loads((user.ws.reports / "verify.json").read_text())
        assert report["failed"] == 0
        assert report["passed"] > len(report["checks"])

    def test_nothing_of_the_site_was_made_by_the_estate(self, user: User, colo: Facility) -> None:
        assert {spec.site for spec in disks.all_recorded(ENV)} == {"east", "west", "dev"}
        found = inventory.read(user.ws, estate_file.load(user.ws.estate_file))
        assert {host.name: str(host.address) for host in found.of_site("legacy")} == {
            name: colo.spec(name).address for name in facility.LAST
        }

    def test_cells_have_their_members_in_the_facility(self, user: User) -> None:
        report = json.loads(user.mirrorforce("status", ENV, "--json").out)
        assert all(site["up"] for site in report["sites"])
        sites = {member["site"] for cell in report["cells"] for member in cell["members"]}
        assert facility.SITE in sites

    def test_a_second_preview_sees_no_change(self, user: User) -> None:
        done = user.mirrorforce("preview", ENV, "--expect-no-changes")
        assert done.status == ExitCode.AS_DECLARED, done

    def test_plain_pulumi_refuses_a_machine_with_another_key(
        self, user: User, document: dict[str, Any]
    ) -> None:
        with declared_otherwise(document, swap_keys):
            done = user.plain("pulumi", "up", "-s", f"{ENV}-legacy", "--yes", "--skip-preview")
        assert done.status != 0, done
        text = " ".join((done.out + done.err).split())
        assert "sites.legacy.static.hosts.legacy-na1.host_key" in text
        assert user.plain("pulumi", "up", "-s", f"{ENV}-legacy", "--yes", "--skip-preview").status == 0

    def test_a_machine_that_lost_power_is_drift(self, user: User, colo: Facility) -> None:
        colo.power_off("legacy-control")
        try:
            done = user.mirrorforce("preview", ENV, "--expect-no-changes")
        finally:
            colo.power_on("legacy-control")
        assert done.status == ExitCode.DRIFT_FOUND, done
        assert "legacy-control" in done.out

    def test_a_line_that_is_cut_stops_up_before_any_host_is_touched(self, user: User, colo: Facility) -> None:
        colo.cut("east")
        try:
            text = " ".join(refused(user.mirrorforce("up", ENV)).split())
        finally:
            colo.mend(network("east"))
        assert "1 link to static sites" in text
        assert "links[1] (east-control to legacy-control" in text
        assert "no echo comes back" in text

    def test_up_again_brings_it_all_back(self, user: User) -> None:
        done = user.mirrorforce("up", ENV)
        assert done.status == ExitCode.AS_DECLARED, done

    def test_the_inventory_of_the_aws_estate_leads_ansible_over_the_same_hosts(
        self, user: User, document: dict[str, Any], tmp_path: Path
    ) -> None:
        """Check mode over converged hosts: whatever the platform said of them, there is nothing to change."""
        lab = inventory.read(user.ws, estate_file.load(user.ws.estate_file))
        on_aws = aws_in_the_lab.estate(tmp_path, lab, document)
        found = inventory.from_outputs(on_aws, aws_in_the_lab.outputs(lab))
        told = tmp_path / "inventory"
        told.touch(mode=0o700)
        listing = json.dumps(inventory.ansible_document(on_aws, found, engine.read_secrets(user.ws)))
        told.write_text(f"#!/bin/sh\ncat <<'END'\n{listing}\nEND\n")
        done = user.plain("ansible-playbook", "-i", str(told), "playbooks/site.yml", "--check", "--diff")
        assert done.status == 0, done
        recap = {line["host"]: line for line in RECAP.finditer(done.out)}
        assert recap.keys() == {host.name for host in placement.hosts(on_aws)}
        for name, line in recap.items():
            assert (line["changed"], line["unreachable"], line["failed"]) == ("0", "0", "0"), (
                f"{name}\n{done}"
            )

    def test_down_leaves_the_facility_as_it_is(self, user: User, colo: Facility) -> None:
        done = user.mirrorforce("down", ENV, "--yes")
        assert done.status == ExitCode.AS_DECLARED, done
        assert all(colo.running().values())
        assert not user.ws.state.exists()
