from __future__ import annotations

import datetime as dt
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorforce import pki
from mirrorforce.errors import MirrorforceError
from mirrorforce.pki import Authority, Wish

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
AUTHORITY = pki.new_authority("lab")
KEY = ec.generate_private_key(ec.SECP256R1())
WISH = Wish(
    common_name="",
    names=("east-na1.lab.test", "na1.lab.test"),
    addresses=(IPv4Address("198.18.1.20"),),
    server=True,
    client=True,
    days=365,
    renew_before_days=90,
)


def request(
    key: ec.EllipticCurvePrivateKey = KEY, subject: str = "anything"
) -> x509.CertificateSigningRequest:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())


def pem(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(serialization.Encoding.PEM).decode()


def public_pem(key: ec.EllipticCurvePrivateKey = KEY) -> str:
    encoded = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()


def signed(wanted: Wish = WISH, authority: Authority = AUTHORITY, now: dt.datetime = NOW) -> str:
    return pki.sign(pem(request()), wanted, authority, now)


def reason(certificate: str, wanted: Wish = WISH, now: dt.datetime = NOW) -> str | None:
    return pki.reason_to_renew(certificate, public_pem(), wanted, AUTHORITY.certificate_pem, now)


labels = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
wishes = st.builds(
    Wish,
    common_name=st.sampled_from(["", "replicator"]),
    names=st.lists(labels, max_size=5, unique=True).map(tuple),
    addresses=st.lists(st.ip_addresses(v=4), max_size=3, unique=True).map(tuple),
    server=st.booleans(),
    client=st.just(value=True),
    days=st.integers(91, 3000),
    renew_before_days=st.just(90),
)


@given(wishes)
@settings(max_examples=40)
def test_what_was_just_signed_is_as_wished(wanted: Wish) -> None:
    assert reason(signed(wanted), wanted) is None


def test_a_certificate_is_made_anew_before_it_ends_and_not_earlier() -> None:
    certificate = signed()
    assert reason(certificate, now=NOW + dt.timedelta(days=275)) is None
    assert reason(certificate, now=NOW + dt.timedelta(days=275, seconds=1)) == "it ends in 89 days"


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        ("", "there is none"),
        ("nonsense", "its file holds no certificate"),
        (signed(authority=pki.new_authority("lab")), "it was signed by another authority"),
        (signed(replace(WISH, names=("east-na1.lab.test",))), "it says something else than declared"),
        (signed(replace(WISH, addresses=())), "it says something else than declared"),
        (signed(replace(WISH, server=False)), "it says something else than declared"),
        (signed(replace(WISH, common_name="east-na1")), "it says something else than declared"),
    ],
)
def test_a_certificate_is_made_anew_when_it_is_not_as_declared(certificate: str, why: str) -> None:
    assert reason(certificate) == why


def test_a_certificate_of_another_key_is_made_anew() -> None:
    other = pki.sign(pem(request(ec.generate_private_key(ec.SECP256R1()))), WISH, AUTHORITY, NOW)
    assert reason(other) == "it is of another key"


def test_a_certificate_says_what_is_declared_whatever_the_request_asks_for() -> None:
    certificate = x509.load_pem_x509_certificate(
        pki.sign(pem(request(subject="root")), WISH, AUTHORITY, NOW).encode()
    )
    assert certificate.subject.rfc4514_string() == "O=mirrorforce"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_request_that_its_key_did_not_sign_is_refused() -> None:
    der = bytearray(request().public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der))
    with pytest.raises(MirrorforceError, match="not signed by its own key"):
        pki.sign(pem(forged), WISH, AUTHORITY, NOW)


def test_the_authority_signs_hosts_and_no_authority_below() -> None:
    certificate = x509.load_pem_x509_certificate(AUTHORITY.certificate_pem.encode())
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_the_authoritys_key_is_never_shown() -> None:
    assert "PRIVATE" not in repr(AUTHORITY)


def test_a_clients_certificate_of_its_own_is_good_for_that_name_and_a_day() -> None:
    authority = pki.new_authority("lab")
    now = dt.datetime.now(dt.UTC)
    text = pki.client_of("root", authority, now)
    certificate = x509.load_pem_x509_certificate(text[text.index("-----BEGIN CERT") :].encode())
    key = serialization.load_pem_private_key(text.encode(), password=None)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem.encode()))
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string().startswith("CN=root")
    assert certificate.not_valid_after_utc - now <= dt.timedelta(days=1)
