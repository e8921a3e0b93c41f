"""A static site as Pulumi, `adopt` and `up` see it; who answers is played."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from mirrorforce import inventory, placement, secrets
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import adopt, existing_links
from mirrorforce.remote import Result
from mirrorforce.sites import program, static_probe
from mirrorforce.sites.static_check import Answer, Facts
from mirrorforce.sites.static_entry import inventory_entry, machine_of, spec_of
from mirrorforce.sites.static_providers import MachineProvider
from mirrorforce.stack_names import parse
from mirrorforce.workspace import ROOT, Workspace
from tests import program_engine
from tests.estate_files import load_document
from tests.program_engine import Answers, Run
from tests.static_files import ADDRESSES, SITE, host_key, with_static_legacy
from tests.unit.test_static_check import GOOD

if TYPE_CHECKING:
    from pulumi.runtime.mocks import MockResourceArgs

    from mirrorforce.estate import Estate, Host, Machine

# The SDK makes an event loop when it is imported, and leaves the futures of a program that failed unread.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MACHINE = "pulumi-python:dynamic/mirrorforce:Machine"


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return load_document(tmp_path_factory.mktemp("stacks"), with_static_legacy())


@pytest.fixture(scope="module")
def host(estate: Estate) -> Host:
    return next(host for host in placement.hosts(estate) if host.name == "legacy-na1")


class Facility:
    """Machines that answer, each at its address, until a test changes one of them."""

    def __init__(self, hosts: tuple[Host, ...]) -> None:
        self.answers = {machine_of(host).address: Answer(machine_of(host).host_key) for host in hosts}
        self.facts: dict[str, Facts | str] = {host.name: _facts(host) for host in hosts}

    def who_answers(self, machine: Machine) -> Answer:
        return self.answers[machine.address]

    def look(self, _config: object, name: str, _mounts: object) -> Facts | str:
        return self.facts[name]


def _facts(host: Host) -> Facts:
    return replace(GOOD, hostname=host.name, address=str(host.address))


@pytest.fixture
def facility(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Facility:
    made = Facility(adopt.machines_of(estate))
    monkeypatch.setattr(static_probe, "who_answers", made.who_answers)
    monkeypatch.setattr(static_probe, "look", made.look)
    return made


class Found(Answers):
    """Answers as the machines' provider does: what is declared is what was found."""

    def made(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return args.name, dict(args.inputs)


@pytest.fixture
def run(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The stack of the static site, as the program builds it."""
    monkeypatch.setattr(program, "declared", lambda stack: (parse(stack), estate))
    return program_engine.build(f"lab-{SITE}", answers=Found)


def test_a_static_site_is_its_machines_and_nothing_else(run: Run) -> None:
    assert sorted(run.names(MACHINE)) == sorted(ADDRESSES)
    assert {each.type for each in run.resources} == {MACHINE, "mirrorforce:site:Site"}


def test_its_document_is_as_every_sites_and_leads_to_the_machines(run: Run, estate: Estate) -> None:
    document = run.outputs[f"mirrorforce-lab-{SITE}"]["inventory"]
    schema = json.loads((ROOT / "schemas" / "inventory.schema.json").read_text())
    Draft202012Validator(schema).validate(document)
    hosts = [inventory.host_of(entry) for entry in document["hosts"]]
    assert {host.name: str(host.address) for host in hosts} == ADDRESSES
    assert {host.name: host.host_key for host in hosts} == {name: host_key(name) for name in ADDRESSES}
    assert document["network"] == {"cidr": str(estate.site(SITE).cidr)}


def test_a_port_of_its_own_is_in_the_ssh_config(host: Host) -> None:
    entry = inventory_entry(host, host_key("legacy-na1"))
    entry["ssh"] = {"user": "ops", "port": 2222, "proxy_command": "ssh -W %h:%p jump"}
    text = inventory.ssh_config(ROOT, inventory.Inventory("lab", (inventory.host_of(entry),)))
    for line in ("User ops", "Port 2222", "ProxyCommand ssh -W %h:%p jump"):
        assert f"  {line}\n" in text


@pytest.fixture
def spec(estate: Estate, host: Host) -> dict[str, Any]:
    return {**spec_of(estate, host), "port": 22.0}


@pytest.mark.usefixtures("facility")
def test_a_machine_that_answers_as_declared_is_taken_up(spec: dict[str, Any]) -> None:
    provider = MachineProvider()
    made = provider.create({**spec, "__provider": "…"})
    assert made.outs == spec
    assert provider.read("machine", spec).outs == spec
    assert not provider.diff("machine", spec, spec).changes
    provider.delete("machine", spec)


def test_a_machine_that_does_not_answer_is_gone_and_cannot_be_made(
    facility: Facility, spec: dict[str, Any]
) -> None:
    facility.answers[IPv4Address(spec["address"])] = Answer("", "Connection refused")
    provider = MachineProvider()
    assert provider.read("machine", spec).id == ""
    with pytest.raises(MirrorforceError, match=r"(?s)legacy-na1\.address.*Connection refused.*adopt lab"):
        provider.create(spec)


def test_a_machine_with_another_key_is_a_change_that_is_refused(
    facility: Facility, spec: dict[str, Any]
) -> None:
    facility.answers[IPv4Address(spec["address"])] = Answer(host_key("another"))
    provider = MachineProvider()
    found = provider.read("machine", spec).outs or {}
    assert provider.diff("machine", found, spec).changes
    with pytest.raises(MirrorforceError, match=r"(?s)legacy-na1\.host_key.*declared|allowed"):
        provider.update("machine", found, spec)


@pytest.mark.usefixtures("facility")
def test_machines_as_declared_are_found(estate: Estate) -> None:
    result = adopt.look(estate, secrets.generate(estate), lambda _: None)
    assert [found.host.name for found in result.found] == list(ADDRESSES)
    assert (result.machines, result.complaints) == (3, ())
    adopt.require(Workspace("lab"), estate, secrets.generate(estate), lambda _: None)


def test_everything_that_is_wrong_is_told_at_once(estate: Estate, facility: Facility) -> None:
    known = secrets.generate(estate)
    facility.answers[IPv4Address(ADDRESSES["legacy-control"])] = Answer(host_key("legacy-na2"))
    facility.facts["legacy-na1"] = "Permission denied (publickey)."
    facility.facts["legacy-na2"] = GOOD  # which is legacy-na1
    with pytest.raises(MirrorforceError) as caught:
        adopt.require(Workspace("lab"), estate, known, lambda _: None)
    text = str(caught.value)
    assert text.startswith("3 of 3 machines are not as stacks/lab.yaml says; nothing was created or changed.")
    for words in (
        "legacy-control.host_key",
        "declared as that of legacy-na2",
        f"have the line: {known.ssh_public_key.strip()}",
        "a machine that calls itself legacy-na1",
    ):
        assert words in text
    assert known.ssh_private_key not in text


def _inventory(estate: Estate) -> inventory.Inventory:
    hosts = (
        inventory.InventoryHost(
            host.name, host.site, host.role, host.cell, host.address, "", "mirrorforce", "", ()
        )
        for host in placement.hosts(estate)
    )
    return inventory.Inventory(estate.name, tuple(hosts))


def _answer(*times: float) -> Result:
    lines = "".join(f"64 bytes from 198.18.3.40: icmp_seq=1 ttl=62 time={time} ms\n" for time in times)
    return Result(0 if times else 1, lines, "", timed_out=False)


def test_links_with_an_end_in_a_static_site_are_asked_from_the_other_end(estate: Estate) -> None:
    found = existing_links.ends(estate, _inventory(estate))
    assert [each.link.between for each in found] == [("east", SITE), ("west", SITE), ("dev", SITE)]
    assert (found[0].near.name, found[0].far.name) == ("east-control", "legacy-control")


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((66.0,), None),
        ((900.0, 66.0), None),
        ((3.0,), None),  # a link that is quicker than declared does no harm
        ((87.6, 92.0), "87.6 ms, the best of 2"),
        ((), "no echo comes back"),
    ],
)
def test_a_link_answers_no_later_than_declared(
    estate: Estate, times: tuple[float, ...], words: str | None
) -> None:
    each = existing_links.ends(estate, _inventory(estate))[0]
    complaint = existing_links.complaint(each, _answer(*times))
    assert (complaint is None) == (words is None)
    if complaint and words:
        assert words in complaint.found
        assert complaint.path[:2] == ("links", 1)
        assert "links[1]" in str(existing_links.error("lab", [complaint]))


def test_a_host_that_cannot_ask_says_why(estate: Estate) -> None:
    each = existing_links.ends(estate, _inventory(estate))[0]
    answer = Result(127, "", "sh: 1: ping: not found\n", timed_out=False)
    complaint = existing_links.complaint(each, answer)
    assert complaint
    assert "ping: not found" in complaint.found


@pytest.mark.usefixtures("facility")
def test_the_interconnect_lists_existing_links_and_builds_none_of_them(
    estate: Estate, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    del run
    monkeypatch.setattr(program, "declared", lambda stack: (parse(stack), estate))
    networks = {
        f"lab-{site.name}": {"inventory": {"network": {"cidr": str(site.cidr), "gateway": "198.18.1.1"}}}
        for site in estate.sites
    }
    joined = program_engine.build("lab-interconnect", answers=Found, up=networks)
    links = joined.outputs["mirrorforce-lab-interconnect"]["interconnect"]["links"]
    assert len(links) == len(estate.links)
    assert sorted(joined.names("Link")) == ["dev-east", "dev-west", "east-west"]
