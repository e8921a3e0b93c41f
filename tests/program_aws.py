"""AWS as programs meet it, played: what its resources have when they are made, what its functions answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi

from tests import program_engine
from tests.program_engine import Answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi.runtime.mocks import MockResourceArgs

ACCOUNT = "123456789012"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC"
REGIONS = ("us-east-1", "us-west-1", "us-west-2")


class Aws(Answers):
    """Everything comes up. In a preview what is not up yet has neither an id nor outputs of its own."""

    offers: ClassVar[Mapping[str, str]] = dict.fromkeys(REGIONS, "abcdef")
    """The zones of each region; all have every instance type."""
    lacking: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    """Instance types and zones that have them not."""
    images: ClassVar[tuple[str, ...]] = ("ami-newest", "ami-older")

    def asked(self, token: str, inputs: Mapping[str, Any], provider: str) -> dict[str, Any]:
        match token.rpartition(":")[2]:
            case "getCallerIdentity":
                arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/somebody"
                return {"accountId": ACCOUNT, "arn": arn, "id": ACCOUNT, "userId": "AROA"}
            case "getAmiIds":
                return {"ids": list(self.images), "owners": inputs["owners"], "id": "images"}
            case "getInstanceTypeOfferings":
                return self._offerings(inputs["filters"][0]["values"], provider)
            case "getZone":
                return {"zoneId": f"zone-of-{inputs['name']}", "id": "zone", "name": inputs["name"]}
            case _:
                return super().asked(token, inputs, provider)

    def _offerings(self, types: list[str], region: str) -> dict[str, Any]:
        zones = [f"{region}{letter}" for letter in self.offers[region]]
        pairs = [(kind, zone) for kind in types for zone in zones if (kind, zone) not in self.lacking]
        return {
            "instanceTypes": [kind for kind, _ in pairs],
            "locations": [zone for _, zone in pairs],
            "locationTypes": ["availability-zone"] * len(pairs),
            "id": "offerings",
        }

    def made(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if pulumi.runtime.is_dry_run():
            return None, dict(args.inputs)
        told = {
            "arn": f"arn:aws:{args.typ.split(':')[1]}:::{args.name}",
            "name": args.inputs.get("name", args.name),
            "keyId": f"{args.name}-id",
            "prefixListId": f"pl-{args.name}",
            "associationDefaultRouteTableId": f"{args.name}-table",
            "host_key": HOST_KEY,
        }
        return f"{args.name}-id", {**told, **{key: value for key, value in args.inputs.items() if value}}


build = partial(program_engine.build, answers=Aws)
