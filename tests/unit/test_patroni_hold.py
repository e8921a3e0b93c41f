"""Patroni held still while another member takes over."""

from __future__ import annotations

import sys

import pytest

from mirrorforce.onhost import patroni_hold


@pytest.mark.parametrize(("answers", "looks"), [((False, False, True, True), 3), ((False,) * 1000, None)])
def test_it_is_held_until_the_other_one_leads_or_time_is_over(
    answers: tuple[bool, ...], looks: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(answers)
    told: list[str] = []
    monkeypatch.setattr(patroni_hold, "says_yes", lambda *_, **__: left.pop(0))
    monkeypatch.setattr(patroni_hold, "output_of", lambda line: told.append(" ".join(line)))
    monkeypatch.setattr(patroni_hold, "notify", told.append)
    given = ["--url", "u", "--ca", "a", "--certificate", "c", "--key", "k", "--seconds", "0.3"]
    monkeypatch.setattr(sys, "argv", ["patroni_hold", *given])
    patroni_hold.main()
    assert told == ["systemctl kill --kill-whom=main --signal=STOP patroni.service", "READY=1"]
    if looks:
        assert len(answers) - len(left) == looks
    else:
        assert left
