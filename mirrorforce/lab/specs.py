"""What a network, a host and a link of the lab are to be. Values that go to JSON and come back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, cast

from mirrorforce.lab import names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_LINK_TEXTS = ("estate", "a", "b", "a_cidr", "b_cidr", "a_address", "b_address")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The network of a site; its gateway has the first address of `cidr`."""

    estate: str
    site: str
    cidr: str

    def __post_init__(self) -> None:
        names.namespace(self.estate, self.site)
        IPv4Network(self.cidr)

    @property
    def gateway(self) -> str:
        """The gateway's address."""
        return str(IPv4Network(self.cidr).network_address + 1)

    @property
    def prefix_length(self) -> int:
        """Bits of the network part."""
        return IPv4Network(self.cidr).prefixlen

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Self:
        """The spec of such a document."""
        return cls(*(str(document[key]) for key in ("estate", "site", "cidr")))


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A file system of its own, mounted in the host at `mount`. Size in MiB."""

    name: str
    mount: str
    size_mib: int

    def __post_init__(self) -> None:
        names.checked_label("volume", self.name)

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Self:
        """The spec of such a document; sizes may come as floats, as Pulumi's numbers do."""
        return cls(str(document["name"]), str(document["mount"]), int(cast("float", document["size_mib"])))


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A host. `image` is the root tree that a new host is made over; an existing one keeps its own."""

    estate: str
    site: str
    name: str
    domain: str
    address: str
    prefix_length: int
    gateway: str
    image: str
    authorized_key: str
    volumes: tuple[VolumeSpec, ...] = ()

    def __post_init__(self) -> None:
        names.namespace(self.estate, self.site)
        names.checked_label("host", self.name)
        IPv4Address(self.address)
        IPv4Address(self.gateway)

    @property
    def fqdn(self) -> str:
        """The full name of the host."""
        return f"{self.name}.{self.domain}"

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        return {**asdict(self), "volumes": [asdict(volume) for volume in self.volumes]}

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Self:
        """The spec of such a document."""
        volumes = cast("list[Mapping[str, object]]", document.get("volumes", []))
        return cls(
            estate=str(document["estate"]),
            site=str(document["site"]),
            name=str(document["name"]),
            domain=str(document["domain"]),
            address=str(document["address"]),
            prefix_length=int(cast("float", document["prefix_length"])),
            gateway=str(document["gateway"]),
            image=str(document["image"]),
            authorized_key=str(document["authorized_key"]),
            volumes=tuple(VolumeSpec.from_dict(volume) for volume in volumes),
        )


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A link between the routers of two sites. Half of `round_trip_ms` (milliseconds) goes each way.

    `a_address` and `b_address` are the gateways' addresses: the link needs none of its own.
    """

    estate: str
    a: str
    b: str
    a_cidr: str
    b_cidr: str
    a_address: str
    b_address: str
    round_trip_ms: float

    def __post_init__(self) -> None:
        names.checked_estate(self.estate)
        names.link(self.a, self.b)
        for cidr, address in ((self.a_cidr, self.a_address), (self.b_cidr, self.b_address)):
            IPv4Network(cidr)
            IPv4Address(address)

    @property
    def name(self) -> str:
        """The name of the link, the same whichever site is named first."""
        return names.link(self.a, self.b)

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Self:
        """The spec of such a document."""
        texts = {key: str(document[key]) for key in _LINK_TEXTS}
        return cls(**texts, round_trip_ms=float(cast("float", document["round_trip_ms"])))
