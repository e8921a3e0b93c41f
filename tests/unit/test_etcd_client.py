from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost import etcd

if TYPE_CHECKING:
    from mirrorforce.onhost.https_json import Credentials


@given(st.text())
def test_text_survives_the_gateways_base64(text: str) -> None:
    assert etcd.decoded(etcd.encoded(text)) == text


@given(st.text(alphabet="/abcz", min_size=1), st.text(alphabet="/abcz", max_size=5))
def test_the_end_of_a_prefix_is_behind_all_its_keys(prefix: str, rest: str) -> None:
    assert prefix + rest < etcd.end_of_prefix(prefix)


def test_the_end_of_a_prefix_is_not_behind_its_neighbour() -> None:
    assert etcd.end_of_prefix("/service/na1/") <= "/service/na10/"
    assert etcd.end_of_prefix("/service/na1/") <= "/service/na2/"


def test_what_the_gateway_leaves_out_is_empty() -> None:
    assert etcd.key_values({"header": {}}) == []
    found = etcd.key_values({"kvs": [{"key": etcd.encoded("a"), "mod_revision": "7"}]})
    assert found == [etcd.KeyValue("a", "", 7)]


@pytest.mark.parametrize(
    "body",
    [
        {"code": 16, "message": "etcdserver: invalid auth token"},
        {"code": 3, "message": "etcdserver: user name is empty"},
        {"code": 3, "message": "etcdserver: revision in header is old"},
    ],
)
def test_a_token_that_ran_out_is_told_from_other_errors(body: dict[str, object]) -> None:
    assert isinstance(etcd.refusal(401, body), etcd.TokenError)


def test_other_errors_are_no_matter_of_tokens() -> None:
    fault = etcd.refusal(403, {"code": 7, "message": "etcdserver: permission denied"})
    assert type(fault) is etcd.EtcdError
    assert str(fault) == "etcdserver: permission denied"
    assert "502" in str(etcd.refusal(502, None))
    assert etcd.refusal(200, {"header": {}}) is None


def test_a_password_is_never_shown() -> None:
    assert "hunter2" not in repr(etcd.User("watcher", "hunter2"))


def test_a_watch_ends_with_its_reason() -> None:
    refused = {"result": {"created": True, "canceled": True, "cancel_reason": "invalid auth token"}}
    assert etcd.end_of_watch(refused) == "invalid auth token"
    assert etcd.end_of_watch({"error": {"message": "no leader"}}) == "no leader"
    assert etcd.end_of_watch({"result": {"created": True}}) == ""


class Keys:
    """Credentials that no server ever sees."""

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def test_an_endpoint_that_gives_no_answer_is_asked_last_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    dead = {"https://near:1"}

    def post(connection: etcd.Connection, *_: object) -> dict[str, object]:
        asked.append(connection.endpoint)
        if connection.endpoint in dead:
            raise TimeoutError("timed out")
        return {}

    now = 100.0
    monkeypatch.setattr(etcd.Connection, "post", post)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    client = etcd.Client(["https://near:1", "https://far:1"], cast("Credentials", Keys()), None)
    for _ in range(2):
        client.call("/v3/kv/range", {})
    assert asked == ["https://near:1", "https://far:1", "https://far:1"]
    now += etcd.RESTS_S
    dead.clear()
    asked.clear()
    client.call("/v3/kv/range", {})
    assert asked == ["https://near:1"]
    dead.update({"https://near:1", "https://far:1"})
    with pytest.raises(etcd.EtcdError, match="near:1: timed out; https://far:1: timed out"):
        client.call("/v3/kv/range", {})
