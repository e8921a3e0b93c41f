"""The program itself, as `pulumi up` runs it, with the engine's side played by mocks."""

from __future__ import annotations

import asyncio
import gc
import json
import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from jsonschema import Draft202012Validator
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.settings import SETTINGS, set_root_resource

from mirrorforce import engine, estate_file, inventory, placement
from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec
from mirrorforce.sites.lab_diff import difference

if TYPE_CHECKING:
    from collections.abc import Mapping

# The SDK makes an event loop when it is imported, and leaves the futures of a program that failed unread.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOT = Path(__file__).parents[2]
ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
SITES = [site.name for site in ESTATE.sites]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA mirrorforce-lab"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB"
HOST, NETWORK, LINK = (f"pulumi-python:dynamic/mirrorforce:{kind}" for kind in ("Host", "Network", "Link"))


class Engine(Mocks):
    """Answers as the lab's providers do: everything comes up; stacks that are up have outputs."""

    def __init__(self, up: Mapping[str, Mapping[str, Any]]) -> None:
        self.up = up

    def call(self, args: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:  # noqa: ANN401
        raise AssertionError(f"the program calls no function of a provider, but called {args.token}")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            stack = str(args.inputs["name"]).rpartition("/")[2]
            return args.name, {"name": args.inputs["name"], "outputs": self.up.get(stack, {})}
        return args.name, {**args.inputs, "running": True, "host_key": HOST_KEY, "image": "/image"}


@dataclass
class Run:
    """What a run of the program registered."""

    parents: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of_type(self, kind: str) -> list[str]:
        return [name for name, found in self.types.items() if found == kind]


class Monitor(MockMonitor):
    """A mock of the engine that also remembers parents and outputs."""

    def __init__(self, mocks: Mocks, run: Run) -> None:
        super().__init__(mocks)
        self.run = run

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802
        self.run.types[request.name] = request.type
        self.run.parents[request.name] = request.parent.rpartition("::")[2]
        self.run.inputs[request.name] = MessageToDict(request.object)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802
        name = request.urn.rpartition("::")[2]
        self.run.outputs[name] = MessageToDict(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def run_main() -> None:
    runpy.run_path(str(ROOT / "__main__.py"))


def build(
    stack: str,
    *,
    up: Mapping[str, Mapping[str, Any]] | None = None,
    preview: bool = False,
    key: str = PUBLIC_KEY,
) -> Run:
    """Run `__main__.py` as the stack of that name."""
    run = Run()

    async def program() -> None:
        mocks = Engine(up or {})
        pulumi.runtime.set_mocks(
            mocks, project="mirrorforce", stack=stack, preview=preview, monitor=Monitor(mocks, run)
        )
        SETTINGS.rpc_manager.clear()
        SETTINGS.outputs.clear()
        # set_mocks has made a root stack; the program is to get one as from the engine, with its outputs.
        set_root_resource(None)  # type: ignore[arg-type]
        pulumi.runtime.set_all_config({"mirrorforce:ssh_public_key": key} if key else {}, [])
        await pulumi.runtime.run_in_stack(run_main)

    try:
        asyncio.run(program())
    finally:
        gc.collect()  # what the SDK leaves behind is told of here, where it is ignored, not in another test
    return run


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
        assert run.of_type(NETWORK) == [site.name]
        wanted = [host.name for host in placement.hosts_of_site(ESTATE, site)]
        assert sorted(run.of_type(HOST)) == sorted(wanted)


def test_everything_hangs_below_one_component_of_a_stable_type(runs: dict[str, Run]) -> None:
    for stack, run in runs.items():
        kind = "Interconnect" if stack.endswith("interconnect") else "Site"
        assert run.of_type(f"mirrorforce:site:{kind}") == [stack]
        below = [name for name, found in run.types.items() if "dynamic" in found or "StackReference" in found]
        assert below
        assert {run.parents[name] for name in below} == {stack}


def test_what_is_declared_is_what_the_lab_understands(runs: dict[str, Run]) -> None:
    specs: Mapping[str, type[HostSpec | NetworkSpec | LinkSpec]] = {
        HOST: HostSpec,
        NETWORK: NetworkSpec,
        LINK: LinkSpec,
    }
    for run in runs.values():
        for name, kind in run.types.items():
            if kind in specs:
                spec = specs[kind].from_dict({**run.inputs[name], "image": "/image"})
                found = {**spec.to_dict(), "running": True}
                assert not difference(kind.rpartition(":")[2], found, run.inputs[name]).changed


def test_hosts_let_in_the_key_of_the_stacks_config(runs: dict[str, Run]) -> None:
    run = runs["lab-east"]
    assert {run.inputs[name]["authorized_key"] for name in run.of_type(HOST)} == {PUBLIC_KEY}


def test_a_provider_is_pickled_by_its_name_alone_so_that_no_code_shows_up_as_a_change(
    runs: dict[str, Run],
) -> None:
    run = runs["lab-east"]
    pickled = {run.inputs[name]["__provider"] for name in run.of_type(HOST)}
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
    assert {run.inputs[name]["a_address"] for name in run.of_type(LINK)} == {"198.19.9.1"}


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
