"""How a voter without data joins: anew, as a learner, and never with a cluster of its own beside another."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_MODULES = Path(__file__).parents[2] / "collections/ansible_collections/mirrorforce/estate/plugins/modules"
_spec = importlib.util.spec_from_file_location("etcd_module", _MODULES / "etcd.py")
assert _spec is not None
assert _spec.loader is not None
module: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(module)

VOTERS = {"east-control": "198.18.1.10", "west-control": "198.18.2.10", "legacy-control": "198.18.3.10"}
EAST, LEGACY = (f"https://198.18.{site}.10:2380" for site in (1, 3))
SURVIVOR = {"ID": "3", "name": "legacy-control", "peerURLs": [LEGACY]}


class Server:
    """The gateways of all voters: who answers, with which members and which revision."""

    def __init__(self, *, majority: bool = True, revision: int = 40) -> None:
        self.members: list[dict[str, Any]] = [dict(SURVIVOR)]
        self.majority, self.revision = majority, revision
        self.said: list[str] = []

    def ask(self, address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if address != VOTERS["legacy-control"]:
            raise module.EtcdError("no route to host")
        if path == "maintenance/status":
            return {"header": {"revision": str(self.revision)}}
        if not self.majority:
            raise module.EtcdError("etcdserver: no leader")
        self.said.append(path)
        if path == "cluster/member/add":
            self.members.append({"ID": "9", "isLearner": body["isLearner"], "peerURLs": body["peerURLs"]})
        if path == "cluster/member/remove":
            self.members = [member for member in self.members if member["ID"] != body["ID"]]
        if path == "cluster/member/promote":
            self.members[-1].pop("isLearner")
        return {"members": list(self.members)}


@pytest.fixture
def join(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:  # noqa: ANN401
    """The phase on east-control against a server; what was done."""

    def run(server: Server, *, fresh: bool = True, check_mode: bool = False) -> list[str]:
        class Client:
            def __init__(self, address: str, *_rest: object, **_options: object) -> None:
                self.address = address

            def log_in(self, _password: str) -> bool:
                self.call("auth/authenticate")
                return True

            def call(self, path: str, **body: object) -> dict[str, Any]:
                return server.ask(self.address, path, body)

        data = tmp_path / "data"
        (data / "member").mkdir(parents=True) if not fresh else data.mkdir()
        monkeypatch.setattr(module, "Etcd", Client)
        monkeypatch.setattr(module, "JOIN_FILE", str(tmp_path / "etcd-join"))
        others = module.Others({"root_password": "secret"}, VOTERS, "east-control")
        done: list[str] = module.join(others, str(data), 0, check_mode, lambda: server.said.append("start"))
        return done

    return run


def test_it_learns_first_and_votes_when_it_has_caught_up(join: Any, tmp_path: Path) -> None:  # noqa: ANN401
    server = Server()
    assert join(server) == ["join the others' cluster anew", "vote in the cluster"]
    assert [
        said for said in server.said if said.startswith(("cluster/member/a", "cluster/member/p", "s"))
    ] == [
        "cluster/member/add",
        "start",
        "cluster/member/promote",
    ]
    assert (tmp_path / "etcd-join").read_text().splitlines() == [
        "ETCD_INITIAL_CLUSTER_STATE=existing",
        f"ETCD_INITIAL_CLUSTER=legacy-control={LEGACY},east-control={EAST}",
    ]


def test_its_old_identity_goes_first(join: Any) -> None:  # noqa: ANN401
    server = Server()
    server.members.insert(0, {"ID": "1", "name": "east-control", "peerURLs": [EAST]})
    join(server)
    assert [member["ID"] for member in server.members] == ["3", "9"]


def test_a_first_start_finds_nobody_and_begins_by_itself(join: Any) -> None:  # noqa: ANN401
    assert join(Server(majority=False, revision=1)) == []


def test_beside_a_cluster_without_a_majority_it_does_not_begin_another(join: Any) -> None:  # noqa: ANN401
    with pytest.raises(module.EtcdError, match=r"198\.18\.3\.10 holds the keys .* mirrorforce recover"):
        join(Server(majority=False))


def test_a_voter_with_data_asks_nobody(join: Any) -> None:  # noqa: ANN401
    server = Server()
    assert join(server, fresh=False) == []
    assert server.said == []


def test_one_that_was_stopped_while_it_learned_is_promoted_later(join: Any, tmp_path: Path) -> None:  # noqa: ANN401
    (tmp_path / "etcd-join").write_text("ETCD_INITIAL_CLUSTER_STATE=existing\n")
    server = Server()
    server.members.append({"ID": "9", "isLearner": True, "peerURLs": [EAST]})
    assert join(server, fresh=False) == ["vote in the cluster"]


def test_a_check_changes_nothing(join: Any) -> None:  # noqa: ANN401
    server = Server()
    assert join(server, check_mode=True) == ["join the others' cluster anew"]
    assert server.members == [SURVIVOR]
