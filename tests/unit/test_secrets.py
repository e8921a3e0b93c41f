from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from mirrorforce import estate_file, secrets
from mirrorforce.errors import MirrorforceError

ESTATE = estate_file.load(Path(__file__).parents[2] / "stacks" / "lab.yaml")
KNOWN = secrets.generate(ESTATE)
OPEN = {*secrets.PUBLIC, "cells", "changes"}


def all_values(values: secrets.EstateSecrets) -> list[str]:
    own = [getattr(values, each.name) for each in fields(values) if each.name not in OPEN]
    cells = [getattr(cell, each.name) for cell in values.cells.values() for each in fields(cell)]
    return [*own, *cells]


def test_every_value_is_made_and_none_twice() -> None:
    values = all_values(KNOWN)
    assert all(len(value) >= 32 for value in values)
    assert len(set(values)) == len(values)
    assert set(KNOWN.cells) == {cell.name for cell in ESTATE.cells}


def test_repr_shows_no_value() -> None:
    shown = f"{KNOWN!r} {KNOWN.cells!r} {KNOWN}"
    assert not [value for value in all_values(KNOWN) if value in shown]


def test_both_halves_of_the_ssh_key_belong_together() -> None:
    private = load_ssh_private_key(KNOWN.ssh_private_key.encode(), None)
    public = load_ssh_public_key(KNOWN.ssh_public_key.encode())
    assert private.public_key() == public


def test_a_document_is_read_as_it_was_written() -> None:
    assert secrets.from_json(secrets.to_json(KNOWN)) == KNOWN


def test_a_new_cell_gets_secrets_and_nothing_else_changes() -> None:
    more = replace(ESTATE, cells=(*ESTATE.cells, replace(ESTATE.cells[0], name="na9")))
    found = secrets.completed(KNOWN, more)
    assert found.cells["na9"] != found.cells["na1"]
    assert replace(found, cells=KNOWN.cells, dates=KNOWN.dates) == KNOWN
    new = set(found.dates) - set(KNOWN.dates)
    assert {"na9-application", "na9-etcd", "na9-etcd-agent"} <= new
    assert all(name.startswith("na9-") for name in new)
    assert {name: found.cells[name] for name in KNOWN.cells} == KNOWN.cells


def test_a_cell_that_is_gone_keeps_its_secrets_for_the_day_it_returns() -> None:
    assert secrets.completed(KNOWN, replace(ESTATE, cells=())) is KNOWN


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"cells": {"na1": {"hunter2": "hunter2"}}}'])
def test_what_is_no_such_document_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(MirrorforceError) as refused:
        secrets.from_json(text)
    assert "hunter2" not in str(refused.value)
