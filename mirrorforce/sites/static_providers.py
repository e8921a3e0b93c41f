"""The dynamic provider of machines that exist already: it looks, and creates or removes nothing.

As with the lab's providers, what Pulumi pickles into the state is the name of this class alone.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from mirrorforce.errors import MirrorforceError
from mirrorforce.estate import Host, Machine
from mirrorforce.sites import engine_life, static_check, static_probe

if TYPE_CHECKING:
    from pulumi.dynamic import ConfigureRequest

    Properties = dict[str, Any]

INPUTS = ("estate", "site", "name", "role", "address", "port", "user", "proxy_command", "host_key")
"""The properties of a machine; `host_key` is on the way in that of the file, on the way out what answered."""


class MachineProvider(ResourceProvider):
    """A machine. To create one is to find that it answers with its key; to delete one is to forget it."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:  # noqa: ARG002
        """Before the first call: see to it that this process ends with the engine."""
        engine_life.end_with_the_engine()

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Whether it is declared otherwise, or another key answered at the last look."""
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in INPUTS))

    def create(self, props: Properties) -> CreateResult:
        """Take the machine up, or say what is wrong with who answers."""
        return CreateResult("machine", required(props))

    def update(self, _id: str, _olds: Properties, news: Properties) -> UpdateResult:
        """The same, for a machine that is declared otherwise."""
        return UpdateResult(required(news))

    def read(self, id_: str, props: Properties) -> ReadResult:
        """Look who answers. A machine that does not is gone, so that the next `up` asks for it."""
        answer = static_probe.who_answers(machine_of(props))
        found = {**declared(props), "host_key": answer.key}
        return ReadResult(id_, found, found) if answer.key else ReadResult("", {})

    def delete(self, _id: str, _props: Properties) -> None:
        """Nothing: the machine existed before, and goes on as it is."""


def required(props: Properties) -> Properties:
    """The machine's properties; MirrorforceError where another one, or none, answers."""
    machine = machine_of(props)
    host = Host(machine.name, props["site"], props["role"], machine.address, None, (), machine)
    complaint = static_check.of_answer(host, machine, static_probe.who_answers(machine), {})
    if complaint:
        env = props["estate"]
        message = f"a machine of site {props['site']} is not as stacks/{env}.yaml says"
        raise MirrorforceError(
            f"{message}\n{static_check.text([complaint])}",
            f"then: mirrorforce adopt {env}, which looks at all",
        )
    return declared(props)


def declared(props: Properties) -> Properties:
    """The properties without what Pulumi adds to them."""
    return {key: props[key] for key in INPUTS}


def machine_of(props: Properties) -> Machine:
    """The machine of these properties; Pulumi's numbers are floats."""
    return Machine(
        name=props["name"],
        address=IPv4Address(props["address"]),
        host_key=props["host_key"],
        user=props["user"],
        port=int(props["port"]),
        proxy_command=props["proxy_command"],
    )
