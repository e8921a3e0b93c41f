"""The host's side of certificates, with its own openssl, in a folder of the test."""

from __future__ import annotations

import datetime as dt
import grp
import importlib.util
import os
import pwd
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mirrorforce import pki
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

FILE = ROOT / "collections/ansible_collections/mirrorforce/estate/plugins/modules/certificates.py"
NOW = dt.datetime.now(dt.UTC)
AUTHORITY = pki.new_authority("lab")
WISH = pki.Wish("", ("east-na1",), (), server=True, client=True, days=30, renew_before_days=1)


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("certificates_module", FILE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


module = load()


class FakeAnsible:
    """What the module uses of AnsibleModule."""

    def __init__(self, folder: Path, **params: object) -> None:
        me = {
            "owner": pwd.getpwuid(os.geteuid()).pw_name,
            "group": grp.getgrgid(os.getegid()).gr_name,
        }
        entry = {"name": "host", "key_mode": "0600", **me}
        whole = {"folder": str(folder), "certificates": [entry], "new_keys": None, **params}
        self.params: dict[str, Any] = whole

    def run_command(self, line: list[str], **_options: object) -> tuple[int, str, str]:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
        return done.returncode, done.stdout, done.stderr

    def fail_json(self, msg: str) -> None:
        raise AssertionError(msg)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "PUBLIC", (os.geteuid(), os.getegid(), 0o644))
    return tmp_path


def made(folder: Path, *, new_keys: list[str], moment: dt.datetime) -> x509.Certificate:
    """Ask, sign and install, as the action plugin does."""
    store = module.Store(FakeAnsible(folder, names=["host"], new_keys=new_keys))
    signed = pki.sign(module.request(store)["requests"]["host"], WISH, AUTHORITY, moment)
    module.install(module.Store(FakeAnsible(folder, signed={"host": signed}, new_keys=new_keys)))
    return x509.load_pem_x509_certificate((folder / "host.crt").read_bytes())


def fits(folder: Path, certificate: x509.Certificate) -> bool:
    key = load_pem_private_key((folder / "host.key").read_bytes(), None)
    return key.public_key() == certificate.public_key()


def test_a_renewed_certificate_keeps_its_key(folder: Path) -> None:
    first = made(folder, new_keys=[], moment=NOW)
    again = made(folder, new_keys=[], moment=NOW)
    assert first.public_key() == again.public_key()
    assert fits(folder, again)


def test_a_rotated_one_gets_a_new_key_and_nothing_is_left_beside_the_two(folder: Path) -> None:
    first = made(folder, new_keys=[], moment=NOW)
    again = made(folder, new_keys=["host"], moment=NOW)
    assert first.public_key() != again.public_key()
    assert fits(folder, again)
    assert sorted(each.name for each in folder.iterdir()) == ["host.crt", "host.key"]
    assert (folder / "host.key").stat().st_mode & 0o777 == 0o600


def test_until_the_new_certificate_is_signed_the_old_pair_stays(folder: Path) -> None:
    first = made(folder, new_keys=[], moment=NOW)
    module.request(module.Store(FakeAnsible(folder, names=["host"], new_keys=["host"])))
    assert fits(folder, first)


def test_what_is_older_than_the_rotation_is_made_anew_with_its_key_and_then_left_alone() -> None:
    wanted = pki.wish({"common_name": ""}, days=30, renew_before_days=1, renew_older_than=NOW.isoformat())
    for moment, older in ((NOW - dt.timedelta(seconds=2), True), (NOW + dt.timedelta(seconds=2), False)):
        pem = pki.client_of("", AUTHORITY, moment).partition("-----BEGIN CERTIFICATE-----")
        assert pki.wants_new_key("".join(pem[1:]), wanted) is older
