"""The failover agent of every member, where the estate has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mirrorforce import packet_filter

if TYPE_CHECKING:
    from mirrorforce.estate import Host
    from mirrorforce.operations.checked import Checked, Found


def test_the_fence_is_ready_and_nobody_is_fenced_off(database: Host, checked: Checked, found: Found) -> None:
    if not checked.estate.fence_and_release:
        pytest.skip("the estate has no failover agents")
    faults = packet_filter.fence_faults(checked.of(database, "nftables")["ruleset"])
    assert not faults, "\n".join(faults)
    found("a table of its own at input and output, empty")
