"""The program itself, as `pulumi up` runs it, with the engine's side played by mocks."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from jsonschema import Draft202012Validator

from mirrorforce import engine, estate_file, inventory, placement
from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec
from mirrorforce.sites.lab_diff import difference
from tests import program_engine
from tests.program_engine import PUBLIC_KEY, Answers, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi.runtime.mocks import MockResourceArgs

# The SDK makes an event loop when it is imported, and leaves the futures of a program that failed unread.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOT = Path(__file__).parents[2]
ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
SITES = [site.name for site in ESTATE.sites]
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB"
HOST, NETWORK, LINK = (f"pulumi-python:dynamic/mirrorforce:{kind}" for kind in ("Host", "Network", "Link"))


class Lab(Answers):
    """Answers as the lab's providers do."""

    def made(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return args.name, {**args.inputs, "running": True, "host_key": HOST_KEY, "image": "/image"}


build = partial(program_engine.build, answers=Lab)


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Every stack of the lab's estate, the interconnect over the sites' outputs."""
    built = {f"lab-{site}": build(f"lab-{site}") for site in SITES}
    outputs = {stack: run.outputs[f"mirrorforce-{stack}"] for stack, run in built.items()}
    built["lab-interconnect"] = build("lab-interconnect", up=outputs)
    return built


def test_a_site_is_its_network_and_the_hosts_that_placement_names(runs: dict[str, Run]) -> None:
    for site in ESTATE.sites:
        run = runs[f"lab-{site.name}"]
        assert run.names(NETWORK) == [site.name]
        wanted = [host.name for host in placement.hosts_of_site(ESTATE, site)]
        assert sorted(run.names(HOST)) == sorted(wanted)


def test_everything_hangs_below_one_component_of_a_stable_type(runs: dict[str, Run]) -> None:
    for stack, run in runs.items():
        kind = "Interconnect" if stack.endswith("interconnect") else "Site"
        assert run.names(f"mirrorforce:site:{kind}") == [stack]
        below = [each for each in run.resources if "dynamic" in each.type or "StackReference" in each.type]
        assert below
        assert {each.parent for each in below} == {stack}


def test_what_is_declared_is_what_the_lab_understands(runs: dict[str, Run]) -> None:
    specs: Mapping[str, type[HostSpec | NetworkSpec | LinkSpec]] = {
        HOST: HostSpec,
        NETWORK: NetworkSpec,
        LINK: LinkSpec,
    }
    for run in runs.values():
        for each in run.resources:
            if each.type in specs:
                spec = specs[each.type].from_dict({**each.inputs, "image": "/image"})
                found = {**spec.to_dict(), "running": True}
                assert not difference(each.kind, found, each.inputs).changed


def test_hosts_let_in_the_key_of_the_stacks_config(runs: dict[str, Run]) -> None:
    run = runs["lab-east"]
    assert {each.inputs["authorized_key"] for each in run.of_type(HOST)} == {PUBLIC_KEY}


def test_a_provider_is_pickled_by_its_name_alone_so_that_no_code_shows_up_as_a_change(
    runs: dict[str, Run],
) -> None:
    run = runs["lab-east"]
    pickled = {each.inputs["__provider"] for each in run.of_type(HOST)}
    assert len(pickled) == 1
    assert len(next(iter(pickled))) < 200


def test_outputs_are_valid_against_the_schema(runs: dict[str, Run]) -> None:
    validator = Draft202012Validator(json.loads((ROOT / "schemas" / "inventory.schema.json").read_text()))
    for stack, run in runs.items():
        (document,) = run.outputs[f"mirrorforce-{stack}"].values()
        assert not [error.message for error in validator.iter_errors(document)]


def test_the_stacks_outputs_make_one_inventory(runs: dict[str, Run]) -> None:
    outputs = {stack: run.outputs[f"mirrorforce-{stack}"] for stack, run in runs.items()}
    found = inventory.from_outputs(ESTATE, outputs)
    assert [host.name for host in found.hosts] == [host.name for host in placement.hosts(ESTATE)]
    assert {host.host_key for host in found.hosts} == {HOST_KEY}
    assert [str(name) for name in engine.stacks_of(ESTATE)] == list(runs)


def test_links_take_their_ends_from_the_sites_outputs() -> None:
    moved = {"network": {"cidr": "198.19.9.0/24", "gateway": "198.19.9.1"}}
    outputs = {f"lab-{site}": {"inventory": moved} for site in SITES}
    run = build("lab-interconnect", up=outputs)
    assert len(run.of_type(LINK)) == len(ESTATE.links)
    assert {each.inputs["a_address"] for each in run.of_type(LINK)} == {"198.19.9.1"}


def test_a_preview_before_anything_is_up_shows_the_links_to_come() -> None:
    run = build("lab-interconnect", preview=True)
    assert len(run.of_type(LINK)) == len(ESTATE.links)


def test_links_between_sites_that_are_not_up_are_refused_with_the_next_step() -> None:
    with pytest.raises(pulumi.RunError, match=r"(?s)site \w+ is not up.*pulumi up -s lab-"):
        build("lab-interconnect")


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        ("lab-nowhere", r"no site 'nowhere'.*lab-east, lab-west"),
        ("nowhere-east", r"no stacks/nowhere\.yaml"),
        ("lab", r"no site ''"),
    ],
)
def test_a_stack_that_no_estate_file_declares_is_refused(stack: str, words: str) -> None:
    with pytest.raises(pulumi.RunError, match=rf"(?s){words}"):
        build(stack)


def test_a_site_without_the_estates_public_key_is_refused_with_the_next_step() -> None:
    with pytest.raises(pulumi.RunError, match=r"(?s)no ssh_public_key.*mirrorforce up lab"):
        build("lab-east", key="")
