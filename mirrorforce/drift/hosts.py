"""What any running host shows against the model: sockets, packet filter, certificates, versions. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cryptography import x509

from mirrorforce import expected, flows, packet_filter
from mirrorforce.drift.finding import Finding, Mend, by_hand
from mirrorforce.drift.severity import severity_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.estate import Estate, Host

FIREWALL = "mirrorforce-firewall.service"
FLOWS = "mirrorforce/flows.py: the table of flows"


def sockets(host: Host, section: Mapping[str, Any]) -> Iterator[Finding]:
    """Sockets that listen undeclared, and those that are declared and do not."""
    seen = section["listening"]
    owners = {(one["protocol"], one["address"], one["port"]): one["process"] for one in seen}
    listening, wanted = expected.listening(seen), expected.sockets(host)
    declared_units = [unit.name for unit in expected.units(host)]
    for socket in sorted(listening - wanted):
        place = (socket.protocol, socket.address, socket.port)
        act = {
            "act": "silence",
            "protocol": socket.protocol,
            "address": socket.address,
            "port": socket.port,
            "declared_units": declared_units,
        }
        yield Finding(
            ("cluster",), host.name, f"socket {socket}", "nothing listens there",
            f"{owners.get(place) or 'a program'} listens", "mirrorforce/expected.py: sockets", "serious",
            Mend("host", "stop who listens there", host.name, act, disruptive=True),
        )  # fmt: skip
    for socket in sorted(wanted - listening):
        yield Finding(
            ("cluster",), host.name, f"socket {socket}", "listens", "nothing listens there",
            "mirrorforce/expected.py: sockets", "serious",
            Mend("converge", "converge runs the service that listens there", host.name),
        )  # fmt: skip


def packet_filters(
    estate: Estate, hosts: Sequence[Host], host: Host, section: Mapping[str, Any]
) -> Iterator[Finding]:
    """The packet filter against the table of flows; tables that are not ours."""
    ruleset = section["ruleset"]
    if faults := packet_filter.faults(ruleset, flows.rules_for(estate, hosts, host)):
        yield Finding(
            ("cluster",), host.name, FIREWALL, "the table of flows is in force", "; ".join(faults), FLOWS,
            "critical", Mend("converge", "converge loads the table of flows again", host.name),
        )  # fmt: skip
    for entry in ruleset:
        table = entry.get("table")
        if table and (table["family"], table["name"]) not in packet_filter.own_tables(estate, host):
            name = f"{table['family']} {table['name']}"
            act = {"act": "delete_table", "family": table["family"], "name": table["name"]}
            yield Finding(
                ("cluster",), host.name, f"nftables table {name}", "no table but Mirrorforce's", "is loaded",
                FLOWS, "critical", Mend("host", f"delete the table {name}", host.name, act, disruptive=True),
            )  # fmt: skip


def certificates(
    host: Host, section: Mapping[str, Any], now: dt.datetime, renew_before_days: int
) -> Iterator[Finding]:
    """A certificate near its end, and a port that shows another than the one on disk."""
    pem = section["files"].get(expected.HOST_CERTIFICATE)
    place = "roles/pki/tasks/certificates.yml"
    mend = Mend("converge", "converge signs it anew, and services take it up", host.name)
    own = _read(pem)
    if own is None:
        yield Finding(
            ("cluster",), host.name, expected.HOST_CERTIFICATE, "a certificate",
            "none that can be read" if pem else "no file", place, "critical", mend,
        )  # fmt: skip
        return
    left = (own.not_valid_after_utc - now).days
    if left < renew_before_days:
        found = f"ends in {left} days" if left >= 0 else f"ended {-left} days ago"
        yield Finding(
            ("cluster",), host.name, expected.HOST_CERTIFICATE, f"valid for {renew_before_days} days or more",
            found, place, "critical", mend,
        )  # fmt: skip
    for port, shown in section["served"].items():
        if _read(shown) != own:
            yield Finding(
                ("cluster",), host.name, f"certificate at {port}", f"shows {expected.HOST_CERTIFICATE}",
                "shows another one: not reloaded", place, "serious", mend,
            )  # fmt: skip


def _read(pem: str | None) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate((pem or "").encode())
    except ValueError:
        return None


def versions(hosts: Sequence[Host], installed: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Packages whose versions differ between hosts of one role: what most have is taken as declared."""
    for role in sorted({host.role for host in hosts}):
        alike = [host for host in hosts if host.role == role and host.name in installed]
        for package in sorted({name for host in alike for name in installed[host.name]}):
            counted = Counter(installed[host.name].get(package) for host in alike)
            usual = counted.most_common(1)[0][0]
            for host in alike:
                shown = installed[host.name].get(package)
                if shown != usual and shown is not None and usual is not None:
                    item = f"package {package}"
                    yield Finding(
                        ("cluster",), host.name, item, f"{usual}, as the other {role} hosts have", shown,
                        f"{counted[usual]} of {len(alike)} {role} hosts", severity_of(item),
                        by_hand(f"apt-get install {package}={usual} on {host.name}, standbys first"),
                    )  # fmt: skip
