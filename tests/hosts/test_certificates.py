"""Certificates: who signed them, what they say, how long they last, and that ports really show them."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from mirrorforce import expected

if TYPE_CHECKING:
    from mirrorforce.estate import Host
    from mirrorforce.operations.checked import Checked, Found

LEAST_DAYS_LEFT = 14


def certificate_of(host: Host, checked: Checked) -> x509.Certificate:
    pem = checked.of(host, "certificates")["files"][expected.HOST_CERTIFICATE]
    if pem is None:
        pytest.fail(f"there is no {expected.HOST_CERTIFICATE}", pytrace=False)
    return x509.load_pem_x509_certificate(pem.encode("ascii"))


def test_the_certificate_is_signed_by_the_estates_authority(any_host: Host, checked: Checked) -> None:
    authority = x509.load_pem_x509_certificate(checked.facts.ca_certificate.encode("ascii"))
    trusted = checked.of(any_host, "certificates")["files"][expected.CA_CERTIFICATE] or ""
    assert trusted.strip() == checked.facts.trusted.strip(), "the host trusts another authority"
    try:
        certificate_of(any_host, checked).verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as fault:
        pytest.fail(f"the certificate was not signed by the estate's authority: {fault}", pytrace=False)


def test_the_certificate_names_the_host(any_host: Host, checked: Checked, found: Found) -> None:
    certificate = certificate_of(any_host, checked)
    said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = set(said.get_values_for_type(x509.DNSName))
    addresses = {ip_address(str(address)) for address in said.get_values_for_type(x509.IPAddress)}
    missing = expected.certificate_names(checked.estate, any_host) - names
    assert not missing, f"names missing: {', '.join(sorted(missing))}"
    assert any_host.address in addresses, f"{any_host.address} is missing among {sorted(map(str, addresses))}"
    others = {str(host.address) for host in checked.hosts} - {str(any_host.address)}
    foreign = others & {str(address) for address in addresses}
    assert not foreign, f"it bears addresses of other hosts: {', '.join(sorted(foreign))}"
    usages = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}, f"usages: {usages}"
    found(", ".join(sorted(names)))


def test_the_certificate_lasts(any_host: Host, checked: Checked, found: Found) -> None:
    certificate = certificate_of(any_host, checked)
    asked = dt.datetime.fromtimestamp(checked.facts.asked, dt.UTC)
    left = certificate.not_valid_after_utc - asked
    assert certificate.not_valid_before_utc <= asked, "it is not valid yet"
    assert left >= dt.timedelta(days=LEAST_DAYS_LEFT), f"it ends in {left.days} days"
    found(f"{left.days} days left")


def test_ports_show_the_hosts_own_certificate(tls_host: Host, checked: Checked, found: Found) -> None:
    ports = expected.tls_ports(tls_host)
    own = certificate_of(tls_host, checked)
    served = checked.of(tls_host, "certificates")["served"]
    faults = [
        f"{port} shows another certificate than {expected.HOST_CERTIFICATE} (not reloaded?)"
        for port, pem in served.items()
        if x509.load_pem_x509_certificate(pem.encode("ascii")) != own
    ]
    assert len(served) == len(ports), f"{len(served)} of {len(ports)} ports answered"
    assert not faults, "\n".join(faults)
    found(", ".join(served))
