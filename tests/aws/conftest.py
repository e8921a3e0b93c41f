"""What tests on the emulated AWS share: an account, and credentials that are none elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.aws.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """State of environments in a folder of the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRRORFORCE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An empty account, which is the one that everything in this process and below it talks to."""
    calls = tmp_path_factory.mktemp("calls") / "calls"
    with Cloud(calls) as account, mock.patch.dict(os.environ, account.in_place_of(os.environ), clear=True):
        yield account
