"""The estate's certificate authority: making it, and signing what hosts ask for. Pure: no file is touched.

Keys are ECDSA on P-256: every client and server in the estate speaks it, and a handshake costs a tenth of
RSA's. A host's private key never leaves the host; only its signing request comes here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mirrorforce.errors import MirrorforceError

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTHORITY_DAYS = 3650
CLOCK_SKEW = dt.timedelta(hours=1)
"""Certificates are valid from this much before they were made: a host's clock may lag the controller's."""

ORGANIZATION = "mirrorforce"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, both parts as PEM text. The key is never shown by repr."""

    certificate_pem: str
    key_pem: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a certificate is to say: `names` are DNS names, an empty `common_name` is left out.

    It is to be valid for `days`, and made anew when fewer than `renew_before_days` are left. One that was
    made before `renew_older_than` is made anew with its key.
    """

    common_name: str
    names: tuple[str, ...]
    addresses: tuple[IPv4Address, ...]
    server: bool
    client: bool
    days: int
    renew_before_days: int
    renew_older_than: dt.datetime | None = None


def wish(
    document: Mapping[str, object], *, days: int, renew_before_days: int, renew_older_than: str = ""
) -> Wish:
    """A wish from role pki's variable `pki_certificates` (one entry of it). `renew_older_than`: ISO 8601."""
    names, addresses, usages = (_texts(document, key) for key in ("names", "addresses", "usages"))
    return Wish(
        common_name=str(document["common_name"]),
        names=names,
        addresses=tuple(IPv4Address(address) for address in addresses),
        server="server" in usages,
        client="client" in usages,
        days=days,
        renew_before_days=renew_before_days,
        renew_older_than=dt.datetime.fromisoformat(renew_older_than) if renew_older_than else None,
    )


def _texts(document: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = document.get(key, [])
    return tuple(str(item) for item in found) if isinstance(found, list) else ()


def new_authority(estate_name: str) -> Authority:
    """Make the authority of an estate: a self-signed root that signs hosts' certificates and nothing below.

    Valid for `AUTHORITY_DAYS` (ten years).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{estate_name} authority")
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + dt.timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(
        certificate_pem=_pem(certificate),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii"),
    )


def reason_to_renew(
    certificate_pem: str, public_key_pem: str, wanted: Wish, authority_pem: str, now: dt.datetime
) -> str | None:
    """Why the certificate has to be made anew; None where it is as wished and good for long enough."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode("ascii"))
    except ValueError:
        return "its file holds no certificate" if certificate_pem else "there is none"
    if _public_pem(certificate.public_key()) != public_key_pem.strip():
        return "it is of another key"
    if not _signed_by(certificate, authority_pem):
        return "it was signed by another authority"
    left = certificate.not_valid_after_utc - now
    older = is_older(certificate, wanted)
    if older or left < dt.timedelta(days=wanted.renew_before_days):
        return "it is older than the last rotation" if older else f"it ends in {left.days} days"
    if _said(certificate) != (wanted.common_name, set(wanted.names), set(wanted.addresses), _usages(wanted)):
        return "it says something else than declared"
    return None


def wants_new_key(certificate_pem: str, wanted: Wish) -> bool:
    """Whether the certificate's key is to be made anew as well: it was there before the last rotation."""
    try:
        return is_older(x509.load_pem_x509_certificate(certificate_pem.encode("ascii")), wanted)
    except ValueError:
        return False


def is_older(certificate: x509.Certificate, wanted: Wish) -> bool:
    """Whether it was made before those that `wanted` takes."""
    made = certificate.not_valid_before_utc + CLOCK_SKEW
    return wanted.renew_older_than is not None and made < wanted.renew_older_than


def sign(request_pem: str, wanted: Wish, authority: Authority, now: dt.datetime) -> str:
    """A certificate (PEM) for the key of a signing request, saying what `wanted` says and nothing more.

    The request proves that its sender holds the key; what else it asks for is not looked at.
    MirrorforceError: the proof does not hold.
    """
    request = x509.load_pem_x509_csr(request_pem.encode("ascii"))
    if not request.is_signature_valid:
        named = ", ".join(wanted.names)
        raise MirrorforceError(f"a signing request for {named} is not signed by its own key")
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem.encode("ascii"))
    key = serialization.load_pem_private_key(authority.key_pem.encode("ascii"), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MirrorforceError("the authority's key is no key on an elliptic curve")
    alternatives = [
        *(x509.DNSName(name) for name in wanted.names),
        *(x509.IPAddress(address) for address in wanted.addresses),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(wanted.common_name))
        .issuer_name(issuer.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + dt.timedelta(days=wanted.days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(sorted(_usages(wanted), key=str)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return _pem(builder.sign(key, hashes.SHA256()))


def client_of(common_name: str, authority: Authority, now: dt.datetime) -> str:
    """A key and a client's certificate of that name, as PEM in one text; good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(_name(common_name)).sign(key, hashes.SHA256())
    )
    wanted = Wish(common_name, (), (), server=False, client=True, days=1, renew_before_days=0)
    text = request.public_bytes(serialization.Encoding.PEM).decode("ascii")
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode("ascii") + sign(text, wanted, authority, now)


def _said(
    certificate: x509.Certificate,
) -> tuple[str, set[str], set[object], set[x509.ObjectIdentifier]]:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    common_name = str(names[0].value) if names else ""
    extensions = certificate.extensions
    try:
        alternatives = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = set(alternatives.get_values_for_type(x509.DNSName))
        addresses: set[object] = set(alternatives.get_values_for_type(x509.IPAddress))
    except x509.ExtensionNotFound:
        dns, addresses = set(), set()
    try:
        usages = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        usages = set()
    return common_name, dns, addresses, usages


def _signed_by(certificate: x509.Certificate, authority_pem: str) -> bool:
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem.encode("ascii")))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _usages(wanted: Wish) -> set[x509.ObjectIdentifier]:
    server = {ExtendedKeyUsageOID.SERVER_AUTH} if wanted.server else set()
    return server | ({ExtendedKeyUsageOID.CLIENT_AUTH} if wanted.client else set())


def _name(common_name: str) -> x509.Name:
    """A subject; without a common name where that is empty, as in hosts' certificates (`role_variables`)."""
    named = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION), *named])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _public_pem(key: object) -> str:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return ""
    encoded = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode("ascii").strip()


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
