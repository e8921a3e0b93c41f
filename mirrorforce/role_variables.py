"""Every variable of every role for one host. Pure: estate, hosts and secrets in, plain values out.

Each role's variables bear its name as prefix. What a role can say for every estate stands in its defaults;
here is only what depends on the estate, or is secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import agent_variables, dns_variables, etcd_variables, flows, postgres_variables, rotation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Estate, Host
    from mirrorforce.secrets import EstateSecrets

Variables = dict[str, object]

AWS_CLOCK = "169.254.169.123"
"""The Amazon Time Sync Service, the same on every instance."""

_KEY_OWNERS = {"control": ("etcd", "etcd-server"), "database": ("postgres", "postgresql-common")}
"""Who reads the host's key, by the host's role, and the package that brings this user."""


def for_host(estate: Estate, hosts: Sequence[Host], host: Host, secrets: EstateSecrets) -> Variables:
    """The variables of all roles that `host` has."""
    shared = _base(estate, hosts, host, secrets) | _pki(estate, host, secrets)
    if host.role == "control":
        etcd = etcd_variables.variables(estate, hosts, host, secrets)
        return shared | etcd | dns_variables.failover_dns(estate, hosts, host, secrets)
    if host.role == "database":
        agent = agent_variables.variables(estate, hosts, host, secrets)
        postgres = postgres_variables.variables(estate, hosts, host, secrets)
        return shared | agent | postgres | _volumes(estate, host)
    return (
        shared
        | dns_variables.resolver(estate, hosts, host)
        | dns_variables.application(estate, host, secrets)
    )


def _base(estate: Estate, hosts: Sequence[Host], host: Host, secrets: EstateSecrets) -> Variables:
    own_kernel = estate.site(host.site).own_kernel
    return {
        "base_domain": estate.domain,
        "base_hosts": [{"name": each.name, "address": str(each.address)} for each in hosts],
        # Two of them while the key is being rotated.
        "base_authorized_keys": rotation.authorized_keys(secrets),
        "base_rules": [
            {
                "name": rule.name,
                "protocol": rule.protocol,
                "port": rule.port or 0,
                # One address is written as such, however it was declared: as nft shows it.
                "sources": [str(source).removesuffix("/32") for source in rule.sources],
            }
            for rule in flows.rules_for(estate, hosts, host)
        ],
        # Containers share the kernel and the clock of the machine they run on.
        "base_owns_kernel": own_kernel,
        "base_owns_clock": own_kernel,
        # AWS has a clock in every network, reached without a way out.
        **({"base_clock_servers": [AWS_CLOCK]} if estate.site(host.site).aws else {}),
        # Without a machine of its own account the role's default holds.
        **({"base_admin": host.machine.user} if host.machine else {}),
    }


def _volumes(estate: Estate, host: Host) -> Variables:
    """Sizes of volumes that the host mounts itself. Which devices they are, the inventory alone knows."""
    if estate.site(host.site).aws is None:
        return {}
    return {"volumes_sizes_mib": {volume.name: volume.size_mib for volume in host.volumes}}


def _pki(estate: Estate, host: Host, secrets: EstateSecrets) -> Variables:
    owner, package = _KEY_OWNERS.get(host.role, ("root", None))
    return {
        "pki_authority_certificate": secrets.ca_certificate,
        "pki_trusted_certificates": rotation.authorities(secrets),
        "pki_renew_older_than": secrets.certificates_since,
        "pki_authority_key": secrets.ca_key,
        "pki_owner_packages": [package] if package else [],
        "pki_certificates": [
            {
                "name": "host",
                # None: etcd turns down a client with a common name at its JSON gateway, which Patroni uses.
                # Names that count stand in the alternative names alone.
                "common_name": "",
                "names": names_of(estate, host),
                "addresses": [str(host.address), "127.0.0.1"],
                "usages": ["server", "client"],
                "owner": owner,
                "group": owner,
            }
        ],
    }


def names_of(estate: Estate, host: Host) -> list[str]:
    """Every DNS name under which the host is reached: its certificate has to bear them.

    Any member of a cell may be its primary tomorrow, so each bears both names of the cell.
    """
    labels = [host.name]
    if host.role == "control":
        labels.append(f"ns-{host.site}")
    if host.cell is not None:
        labels += [host.cell, f"{host.cell}-ro"]
    return [*(f"{label}.{estate.domain}" for label in labels), host.name, "localhost"]
