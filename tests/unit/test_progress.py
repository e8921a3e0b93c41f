from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.progress import unrepeated


@given(st.lists(st.sampled_from("abc")))
def test_what_is_said_again_and_again_is_said_once(texts: list[str]) -> None:
    said: list[str] = []
    say = unrepeated(said.append)
    for text in texts:
        say(text)
    assert said == [text for text, before in zip(texts, [None, *texts], strict=False) if text != before]
