"""What a platform answers with when it has made a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, slots=True)
class Built:
    """A site's network and its hosts, as the inventory says them (`schemas/inventory.schema.json`)."""

    network: pulumi.Output[dict[str, object]]
    hosts: pulumi.Output[list[dict[str, object]]]
