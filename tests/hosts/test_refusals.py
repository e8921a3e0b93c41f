"""Doors without the key: each is tried from a host whose flows lead to it, and must stay shut."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mirrorforce.operations.verify_requests import attempts

if TYPE_CHECKING:
    from mirrorforce.estate import Host
    from mirrorforce.operations.checked import Checked, Found


def test_no_door_opens_without_its_key(any_host: Host, checked: Checked, found: Found) -> None:
    wanted = list(attempts(checked.estate, checked.hosts, any_host))
    if not wanted:
        pytest.skip("its flows lead to no other door")
    made = checked.of(any_host, "refusals")
    faults = []
    for attempt in wanted:
        answer = made.get(attempt["id"], {"got_in": False, "said": "was not tried"})
        # A refusal for another reason (nobody there, a typing error of ours) proves nothing.
        if answer["got_in"] or not re.search(attempt["because"], answer["said"]):
            faults.append(
                f"{attempt['id']}: {'let in' if answer['got_in'] else 'no such refusal'}: {answer['said']}"
            )
    assert not faults, "\n".join(faults)
    found(f"{len(wanted)} doors tried")
