"""What a host says of its seal, as findings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorforce.drift.finding import Finding, Layer, Mend, by_hand
from mirrorforce.drift.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEPT = "/var/lib/mirrorforce/removed"
NOBODY = "nobody: it was not there when the host was sealed"


def findings(host: str, section: Mapping[str, Any]) -> Iterator[Finding]:
    """A finding for each difference between the host and its seal.

    What a task declared belongs to the configuration, though the seal alone may have seen it.
    """
    for one in section["differences"]:
        layers: tuple[Layer, ...] = ("configuration", "seal") if one["task"] else ("seal",)
        yield Finding(
            layers,
            host,
            one["item"],
            one["declared"],
            one["found"],
            f"{one['place']} ({one['task']})" if one["task"] else NOBODY,
            severity_of(one["item"]),
            _mend(host, one),
        )


def _mend(host: str, one: Mapping[str, Any]) -> Mend:
    """What `--fix` does about a difference of this kind."""
    item, name = one["item"], one["item"].rpartition(" ")[2]
    acts = {
        "setting": (f"set {item} to {one['declared']}", {"name": item, "value": one["declared"]}, False),
        "foreign": (f"take {item} away; it is kept in {KEPT}", {"path": item}, True),
        "account": (f"remove the account {name}; its files stay", {"name": name}, True),
        "hold": (f"take the hold from {name}", {"name": name}, False),
    }
    kind = one["kind"]
    if kind in {"file", "unit", "package"}:
        return Mend("converge", "converge puts it right", host)
    if kind in acts:
        what, arguments, disruptive = acts[kind]
        return Mend("host", what, host, {"act": _ACTS[kind], **arguments}, disruptive=disruptive)
    if kind == "version":
        return by_hand(f"apt-get install {name}={one['declared']}, or converge to take the new one up")
    return by_hand("nobody declares it: put it back as it was when the host was sealed")


_ACTS = {"setting": "setting", "foreign": "remove_file", "account": "remove_account", "hold": "unhold"}
