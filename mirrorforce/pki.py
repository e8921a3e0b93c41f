"""The estate's certificate authority: making it, and signing what hosts ask for. Pure: no file is touched.

Keys are ECDSA on P-256: every client and server in the estate speaks it, and a handshake costs a tenth of
RSA's. A host's private key never leaves the host; only its signing request comes here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY_DAYS = 3650
CLOCK_SKEW = dt.timedelta(hours=1)
"""Certificates are valid from this much before they were made: a host's clock may lag the controller's."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, both parts as PEM text. The key is never shown by repr."""

    certificate_pem: str
    key_pem: str = field(repr=False)


def new_authority(estate_name: str) -> Authority:
    """Make the authority of an estate: a self-signed root that signs hosts' certificates and nothing below.

    Valid for `AUTHORITY_DAYS` (ten years).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mirrorforce"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{estate_name} authority"),
        ]
    )
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
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii"),
    )


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
