"""The dynamic providers of the lab: Network, Host and Link, each a thin edge over `mirrorforce.lab`.

Pulumi pickles a provider into its resources' state. These are classes of an importable module
without any state, so what is pickled is their name alone: it is the same from run to run and from one
version of the code, or of Python, to the next.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from mirrorforce.lab import hosts, image, links, networks, packages
from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec
from mirrorforce.sites import engine_life
from mirrorforce.sites.lab_diff import difference, inputs_of, shrunk_volumes

if TYPE_CHECKING:
    from pulumi.dynamic import ConfigureRequest

    Properties = dict[str, Any]


class LabProvider(ResourceProvider):
    """What the three kinds share: compare, make, look, mend, remove."""

    serialize_as_secret_always = False
    kind: ClassVar[str]

    @abstractmethod
    def ensure(self, declared: Properties, known: Properties) -> Properties:
        """Make it, or mend what is known of it; the properties that it then has."""

    @abstractmethod
    def observe(self, known: Properties) -> Properties | None:
        """The properties that it has; None where it is gone."""

    @abstractmethod
    def remove(self, known: Properties) -> None:
        """Remove it; nothing to do where it is gone."""

    def configure(self, req: ConfigureRequest) -> None:  # noqa: ARG002
        """Before the first call: see to it that this process ends with the engine."""
        engine_life.end_with_the_engine()

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Say whether it is as declared, and if not, whether it can be mended in place."""
        found = difference(self.kind, olds, news)
        return DiffResult(
            changes=bool(found.changed), replaces=list(found.replaces), delete_before_replace=True
        )

    def create(self, props: Properties) -> CreateResult:
        """Make it. Also takes up what an interrupted run has left."""
        return CreateResult(self.kind.lower(), self.ensure(inputs_of(props), {}))

    def read(self, id_: str, props: Properties) -> ReadResult:
        """Look at what is really there."""
        found = self.observe(props)
        return ReadResult("", {}) if found is None else ReadResult(id_, found, inputs_of(found))

    def update(self, _id: str, olds: Properties, news: Properties) -> UpdateResult:
        """Mend it in place."""
        return UpdateResult(self.ensure(inputs_of(news), olds))

    def delete(self, _id: str, props: Properties) -> None:
        """Remove it."""
        self.remove(props)


class NetworkProvider(LabProvider):
    """A site's network."""

    kind = "Network"

    def ensure(self, declared: Properties, known: Properties) -> Properties:  # noqa: ARG002
        """As `lab.networks.ensure`."""
        state = networks.ensure(NetworkSpec.from_dict(declared))
        return {**state.spec.to_dict(), "running": state.running}

    def observe(self, known: Properties) -> Properties | None:
        """As `lab.networks.observe`."""
        state = networks.observe(known["estate"], known["site"])
        return {**state.spec.to_dict(), "running": state.running} if state else None

    def remove(self, known: Properties) -> None:
        """As `lab.networks.remove`."""
        networks.remove(known["estate"], known["site"])


class HostProvider(LabProvider):
    """A host. Its image is no input: a new host is made over the image of the day, and keeps it."""

    kind = "Host"

    def check(self, _olds: Properties, news: Properties) -> CheckResult:
        """Refuse a volume that would have to shrink, before anything is touched."""
        faults = shrunk_volumes(_olds, news)
        return CheckResult(news, [CheckFailure("", fault) for fault in faults])

    def ensure(self, declared: Properties, known: Properties) -> Properties:
        """As `lab.hosts.ensure`; a new host over the image with the packages that the roles declare today."""
        tree = known.get("image") or str(image.ensure(packages.declared(), lambda _text: None))
        return _host_properties(hosts.ensure(HostSpec.from_dict({**declared, "image": tree})))

    def observe(self, known: Properties) -> Properties | None:
        """As `lab.hosts.observe`."""
        state = hosts.observe(known["estate"], known["name"])
        return _host_properties(state) if state else None

    def remove(self, known: Properties) -> None:
        """As `lab.hosts.remove`."""
        hosts.remove(known["estate"], known["name"])


def _host_properties(state: hosts.HostState) -> Properties:
    return {**state.spec.to_dict(), "running": state.running, "host_key": state.host_key}


class LinkProvider(LabProvider):
    """A link between two sites."""

    kind = "Link"

    def ensure(self, declared: Properties, known: Properties) -> Properties:  # noqa: ARG002
        """As `lab.links.ensure`."""
        state = links.ensure(LinkSpec.from_dict(declared))
        return {**state.spec.to_dict(), "running": state.running}

    def observe(self, known: Properties) -> Properties | None:
        """As `lab.links.observe`."""
        state = links.observe(known["estate"], known["a"], known["b"])
        return {**state.spec.to_dict(), "running": state.running} if state else None

    def remove(self, known: Properties) -> None:
        """As `lab.links.remove`."""
        links.remove(known["estate"], known["a"], known["b"])
