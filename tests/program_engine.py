"""The program itself, as `pulumi up` runs it, with the engine's side played by mocks.

`build` runs `__main__.py` as one stack and answers with what it registered: inputs, parents, dependencies,
protection, providers, and which properties are secret.
"""

from __future__ import annotations

import asyncio
import gc
import runpy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.settings import SETTINGS, set_root_resource

from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA mirrorforce-lab"


@dataclass(frozen=True)
class Registered:
    """One resource as the program asked the engine for it."""

    name: str
    type: str
    parent: str
    inputs: Mapping[str, Any]
    protect: bool
    provider: str
    depends_on: frozenset[str]
    ignores: tuple[str, ...]
    delete_first: bool

    @property
    def kind(self) -> str:
        """The last part of its type."""
        return self.type.rpartition(":")[2]

    @property
    def tags(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.inputs.get("tags", {})
        return found


@dataclass
class Run:
    """What a run of the program registered, by name, and the outputs it gave."""

    resources: list[Registered] = field(default_factory=list)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def one(self, kind: str, name: str) -> Registered:
        (found,) = (each for each in self.of_type(kind) if each.name == name)
        return found

    def of_type(self, kind: str) -> list[Registered]:
        """Those of a type, which may be named by its end: `Instance`, `ec2/route:Route`."""
        return [each for each in self.resources if each.type == kind or each.type.endswith(f":{kind}")]

    def names(self, kind: str) -> list[str]:
        return [each.name for each in self.of_type(kind)]


class Monitor(MockMonitor):
    """A mock of the engine that remembers what it was asked for."""

    def __init__(self, mocks: Mocks, run: Run) -> None:
        super().__init__(mocks)
        self.run = run

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802
        if request.type == "pulumi:pulumi:Stack":
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]
        dependencies = {*request.dependencies}
        for each in request.propertyDependencies.values():
            dependencies.update(each.urns)
        self.run.resources.append(
            Registered(
                request.name,
                request.type,
                _name(request.parent),
                MessageToDict(request.object),
                request.protect,
                _name(request.provider.rpartition("::")[0]),
                frozenset(_name(urn) for urn in dependencies),
                tuple(request.ignoreChanges),
                request.deleteBeforeReplace,
            )
        )
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802
        self.run.outputs[_name(request.urn)] = MessageToDict(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


class Answers(Mocks):
    """Answers as providers do when everything comes up; stacks that are up have outputs.

    A platform's tests say what its resources have when they are made (`made`) and what its functions answer
    (`asked`).
    """

    def __init__(self, up: Mapping[str, Mapping[str, Any]], run: Run) -> None:
        self.up = up
        self.run = run

    def call(self, args: Any) -> Any:  # noqa: ANN401
        self.run.calls.append((args.token, args.args))
        return self.asked(args.token, args.args, _name((args.provider or "").rpartition("::")[0]))

    def asked(self, token: str, _inputs: Mapping[str, Any], _provider: str) -> dict[str, Any]:
        raise AssertionError(f"the program calls no function of a provider, but called {token}")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            stack = str(args.inputs["name"]).rpartition("/")[2]
            return args.name, {"name": args.inputs["name"], "outputs": self.up.get(stack, {})}
        return self.made(args)

    def made(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return args.name, dict(args.inputs)


def build(
    stack: str,
    answers: type[Answers],
    *,
    up: Mapping[str, Mapping[str, Any]] | None = None,
    preview: bool = False,
    key: str = PUBLIC_KEY,
    secrets: Mapping[str, str] | None = None,
) -> Run:
    """Run `__main__.py` as the stack of that name. `secrets`: what else its config holds, encrypted."""
    run = Run()

    async def program() -> None:
        mocks = answers(up or {}, run)
        pulumi.runtime.set_mocks(
            mocks, project="mirrorforce", stack=stack, preview=preview, monitor=Monitor(mocks, run)
        )
        SETTINGS.rpc_manager.clear()
        SETTINGS.outputs.clear()
        # set_mocks has made a root stack; the program is to get one as from the engine, with its outputs.
        set_root_resource(None)  # type: ignore[arg-type]
        config = {"mirrorforce:ssh_public_key": key} if key else {}
        pulumi.runtime.set_all_config({**config, **(secrets or {})}, list(secrets or {}))
        await pulumi.runtime.run_in_stack(_main)

    try:
        asyncio.run(program())
    finally:
        gc.collect()  # what the SDK leaves behind is told of here, where it is ignored, not in another test
    return run


def _main() -> None:
    runpy.run_path(str(ROOT / "__main__.py"))


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def unknown(value: Any) -> bool:  # noqa: ANN401 - the engine's JSON
    """Whether a value is not known before the plan is carried out."""
    return bool(value == rpc.UNKNOWN)
