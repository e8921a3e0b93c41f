from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mirrorforce import engine_cli, environment, estate_file, stack_configs
from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import SharedState, Workspace
from tests.estate_files import faults, lab, load_document, put

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.estate import Estate

BACKEND = "s3://mirrorforce-lab-state-123456789012?region=us-west-1"
KEY = "awskms://alias/mirrorforce-lab-state?region=us-west-1"
SHARED = SharedState(BACKEND, KEY)


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """The lab's estate in a repository of its own, whose file says that its state is shared."""
    monkeypatch.setattr(stack_configs, "ROOT", tmp_path)
    (tmp_path / "stacks").mkdir()
    document = lab() | {"state": {"backend": BACKEND, "secrets_provider": KEY}}
    return load_document(tmp_path / "stacks", document)


def test_an_estate_file_says_where_its_state_is_shared(estate: Estate) -> None:
    assert estate.state == SHARED


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("backend", "file:///srv/state", "s3://BUCKET?region=REGION"),
        ("backend", "s3://UPPER", "s3://BUCKET?region=REGION"),
        ("backend", "s3://bucket?region=x;reboot", "s3://BUCKET?region=REGION"),
        ("secrets_provider", "passphrase", "awskms://alias/NAME?region=REGION"),
    ],
)
def test_another_kind_of_backend_or_key_is_refused_with_what_is_allowed(
    tmp_path: Path, key: str, value: str, allowed: str
) -> None:
    state = {"backend": BACKEND, "secrets_provider": KEY, key: value}
    found = faults(tmp_path, put("state", value=state))
    assert found.keys() == {f"state.{key}"}
    assert allowed in found[f"state.{key}"].allowed


def test_a_backend_without_its_key_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, put("state", value={"backend": BACKEND}))


def test_the_engine_works_on_the_shared_backend_and_else_on_a_folder() -> None:
    shared, own = Workspace("lab", SHARED), Workspace("lab")
    assert engine_cli.environment(shared)["PULUMI_BACKEND_URL"] == BACKEND
    assert engine_cli.environment(own)["PULUMI_BACKEND_URL"] == f"file://{own.backend}?metadata=skip"


def test_every_verb_works_on_what_the_estate_file_says(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estate_file, "load", lambda _: estate)
    workspace, found = environment.declared("lab", root=False)
    assert (workspace.shared, found) == (SHARED, estate)


def config(folder: Path, text: str) -> None:
    (folder / "stacks" / "Pulumi.lab-east.yaml").write_text(text)


def test_configs_that_are_encrypted_with_the_shared_key_are_taken(estate: Estate, tmp_path: Path) -> None:
    stack_configs.require_provider(Workspace("lab", SHARED), estate)
    config(tmp_path, f"secretsprovider: {KEY}\nencryptedkey: abc\n")
    stack_configs.require_provider(Workspace("lab", SHARED), estate)
    assert [file.name for file in stack_configs.files(estate)] == ["Pulumi.lab-east.yaml"]


@pytest.mark.parametrize("shared", [SHARED, None])
def test_a_config_that_is_encrypted_otherwise_is_told_before_anything_is_made(
    estate: Estate, tmp_path: Path, shared: SharedState | None
) -> None:
    config(tmp_path, "encryptionsalt: v1:x\n" if shared else f"secretsprovider: {KEY}\nencryptedkey: abc\n")
    estate = replace(estate, state=shared)
    with pytest.raises(MirrorforceError, match=r"Pulumi\.lab-east\.yaml is encrypted with") as refused:
        stack_configs.require_provider(Workspace("lab", shared), estate)
    assert "docs/howto/bootstrap.md" in refused.value.next_step
