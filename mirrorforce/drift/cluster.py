"""What etcd and failover DNS show against the model. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorforce.drift.finding import Finding, Mend
from mirrorforce.operations import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.estate import Host

ETCD = "etcd"


def etcd_members(hosts: Sequence[Host], host: Host, section: Mapping[str, Any]) -> Iterator[Finding]:
    """Members of etcd's cluster that are no control host, and control hosts that are no voters of it."""
    voters = {f"https://{each.address}:2380": each for each in hosts if each.role == "control"}
    present = set()
    for member in section["members"]:
        peers = [peer for peer in member["peers"] if peer in voters]
        present |= {voters[peer].name for peer in peers}
        name = member["name"] or ", ".join(member["peers"])
        if not peers:
            act = {"act": "remove_etcd_member", "id": member["id"], **requests.etcd(host)}
            yield Finding(
                ("cluster",), ETCD, f"etcd member {name}", "no such member",
                "a learner" if member["learner"] else "a voter", "roles/etcd: etcd_voters", "critical",
                Mend("host", f"take {name} out of the cluster", host.name, act, disruptive=True),
            )  # fmt: skip
        elif member["learner"]:
            where = voters[peers[0]].name
            yield Finding(
                ("cluster",), where, "etcd vote", "votes", "only learns", "roles/etcd: etcd_voters",
                "critical", Mend("converge", "converge lets it vote", where),
            )  # fmt: skip
    for voter in voters.values():
        if voter.name not in present:
            yield Finding(
                ("cluster",), voter.name, "etcd vote", "a member of the cluster", "no member",
                "roles/etcd: etcd_voters", "critical",
                Mend("converge", "converge lets it join again", voter.name),
            )  # fmt: skip


def dns_admin(host: Host, section: Mapping[str, Any]) -> Iterator[Finding]:
    """States forced upon a DNS server, which outlive whoever forced them."""
    for line in section["forced"]:
        name = line.partition("=>")[0].strip()
        mend = Mend("host", "take back what was forced", host.name, {"act": "dns_admin"})
        yield Finding(
            ("cluster",), host.name, f"DNS state {name}", "the server's own checks decide",
            f"forced by hand: {line}", "roles/failover_dns: nothing is forced", "critical", mend,
        )  # fmt: skip
