"""Certificates for servers that tests run on loopback."""

from __future__ import annotations

import datetime as dt
import ssl
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mirrorforce import pki

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = IPv4Address("127.0.0.1")


def server_of(authority: pki.Authority) -> str:
    """A key and a server's certificate, for LOOPBACK, as PEM in one text."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    wanted = pki.Wish("", ("server",), (LOOPBACK,), server=True, client=False, days=1, renew_before_days=0)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    text = request.public_bytes(serialization.Encoding.PEM).decode()
    return private.decode() + pki.sign(text, wanted, authority, dt.datetime.now(dt.UTC))


def server_context(authority: pki.Authority, folder: Path) -> ssl.SSLContext:
    """What such a server wraps its sockets in; its key lies in `folder`."""
    pem = folder / "server.pem"
    pem.write_text(server_of(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
