"""What a change of code or of the estate file does to hosts, told without a host."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import fingerprint, placement, role_variables, secrets
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.previews import code_files, configuration, declared, trees
from mirrorforce.workspace import ROOT
from tests.preview_samples import ESTATE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mirrorforce.previews.configuration import Comparison
    from mirrorforce.previews.declared import Host

PARTS = ("mirrorforce", "playbooks", "roles", "schemas", "stacks", "collections")


@pytest.fixture(scope="module")
def now() -> dict[str, Host]:
    """What this tree declares for the estate on AWS."""
    return trees.declared(ROOT, "aws")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of this tree, to be changed."""
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def changed(now: dict[str, Host], tree: Path, edits: Mapping[str, tuple[str, str]]) -> Comparison:
    """What comes of replacing texts in files of the tree."""
    for name, (old, new) in edits.items():
        text = (tree / name).read_text(encoding="utf-8")
        assert old in text
        (tree / name).write_text(text.replace(old, new), encoding="utf-8")
    code = code_files.changed(ROOT, tree, fingerprint.CODE)
    return configuration.compare(now, trees.declared(tree, "aws"), code)


def test_every_file_of_every_role_can_be_told_without_a_host(now: dict[str, Host]) -> None:
    assert [name for name, host in now.items() if host["failed"]] == []
    assert list(now) == [host.name for host in placement.hosts(ESTATE)]
    etcd = now["east-control"]["files"]["/etc/default/etcd"]["content"]
    assert etcd is not None
    assert "ETCD_NAME=east-control" in etcd
    assert "What=<device>" in (
        now["east-na1"]["files"]["/etc/systemd/system/srv-postgres-data.mount"]["content"] or ""
    )
    assert now["east-na1"]["units"]["patroni.service"]["deferred"]


def test_where_a_secret_would_stand_stands_its_name(now: dict[str, Host]) -> None:
    content = now["dev-app"]["files"]["/home/app/.pgpass"]["content"] or ""
    assert ":application:<secrets.cells.na1.application_password>" in content
    known = secrets.generate(ESTATE)
    hosts = placement.hosts(ESTATE)
    for host in hosts:
        names = declared.named(known, "secrets")
        text = json.dumps(role_variables.for_host(ESTATE, hosts, host, names))
        for secret in (known.ca_key, known.etcd_root_password, known.cells["na1"].superuser_password):
            assert json.dumps(secret).strip('"') not in text


def test_the_same_tree_changes_nothing(now: dict[str, Host]) -> None:
    assert configuration.compare(now, trees.declared(ROOT, "aws"), {}) == configuration.Comparison()


def test_a_change_reaches_the_hosts_of_its_role_and_restarts_what_reads_it(
    now: dict[str, Host], tree: Path
) -> None:
    found = changed(
        now,
        tree,
        {
            "roles/etcd/templates/override.conf.j2": ("RestartSec=1", "RestartSec=2"),
            "roles/resolver/defaults/main.yml": ("- unbound", "- unbound\n  - unbound-host"),
            "mirrorforce/postgres_variables.py": ("MAX_CONNECTIONS = 200", "MAX_CONNECTIONS = 300"),
            "mirrorforce/onhost/etcd.py": ('"""', '"""Changed: '),
        },
    )
    control = ("east-control", "west-control", "legacy-control")
    roles = {role.role: role for role in found.roles}
    assert roles["etcd"].files == ("templates/override.conf.j2",)
    assert roles["etcd"].hosts == control
    assert roles["postgres"].variables == ("postgres_dynamic_configuration",)
    assert roles["resolver"].hosts == ("dev-app",)
    assert found.code == ("mirrorforce/onhost/etcd.py",)
    assert found.packages == (("unbound-host", "added", ("dev-app",)),)
    files = {file.path: file for file in found.files}
    override = files["/etc/systemd/system/etcd.service.d/mirrorforce.conf"]
    assert override.hosts == control
    assert "-RestartSec=1" in override.diff.splitlines()
    on_hosts = files["/usr/local/lib/mirrorforce/mirrorforce/onhost/etcd.py"]
    assert len(on_hosts.hosts) == len(now)
    restarts = {restart.unit: restart for restart in found.restarts}
    assert set(restarts) == {"etcd.service", "leader_watcher.service"}
    settings = {(setting.cell, setting.name): setting for setting in found.settings}
    one = settings["na1", "postgresql.parameters.max_connections"]
    assert (one.before, one.after, one.judgement.weight) == ("200", "300", "switchover")
    assert {cell for cell, _ in settings} == {"na1", "na2"}


def test_what_a_tree_cannot_say_is_told_with_its_last_words(tree: Path) -> None:
    (tree / "mirrorforce" / "placement.py").write_text("raise RuntimeError('half-written')\n")
    with pytest.raises(MirrorforceError, match="half-written"):
        trees.declared(tree, "aws")
    assert trees.declared(tree, "nowhere") == {}


def test_a_template_that_does_not_render_leaves_the_rest_told(now: dict[str, Host], tree: Path) -> None:
    edits = {"roles/resolver/templates/resolv.conf.j2": ("{{ resolver_domain }}", "{{ no_such_thing }}")}
    found = changed(now, tree, edits)
    (gap,) = found.gaps
    assert gap.startswith("dev-app: resolver: Resolve names by it: ")
    assert "no_such_thing" in gap


def test_hosts_that_come_and_go_are_told_as_such(now: dict[str, Host]) -> None:
    fewer = {name: host for name, host in now.items() if name != "dev-app"}
    assert configuration.compare(fewer, now, {}) == configuration.Comparison(new_hosts=("dev-app",))
    assert configuration.compare(now, fewer, {}) == configuration.Comparison(gone_hosts=("dev-app",))


def test_what_is_alike_on_several_hosts_is_told_once(now: dict[str, Host]) -> None:
    after = copy.deepcopy(now)
    for name in ("east-na1", "west-na1"):
        after[name]["files"]["/etc/hosts"]["mode"] = "0600"
    (file,) = configuration.compare(now, after, {}).files
    assert file.hosts == ("east-na1", "west-na1")
    assert "+# root:root 0600" in file.diff


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_the_secrets_are_made_of_no_text_of_them_is_left(value: object) -> None:
    shown = declared.named(value, "secrets")
    texts = [text for text in _texts(value) if text]
    assert all(text.startswith("<secrets") for text in _texts(shown))
    assert len(texts) <= len(_texts(shown))


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def test_a_revision_is_named_by_what_git_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "ROOT", tmp_path)
    (tmp_path / "file").write_text("as it was")
    own = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "--quiet"], ["add", "file"], [*own, "commit", "--quiet", "--message", "one"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "file").write_text("as it is")
    head = trees.revision("HEAD")
    assert str(head) == f"HEAD ({head.commit[:10]})"
    with trees.unpacked(head) as folder:
        assert (folder / "file").read_text() == "as it was"
    assert not folder.exists()
    for name in ("no-such-branch", "--all", ""):
        with pytest.raises(BadInputError, match="--against"):
            trees.revision(name)


def test_roles_put_nothing_on_hosts_but_by_what_a_preview_reads() -> None:
    """docs/adr/0010: a file by `ansible.builtin.template` would be missing in every preview."""
    seen = {"ansible.builtin.import_tasks", "ansible.builtin.user"}
    for file in ROOT.glob("roles/*/tasks/*.yml"):
        for task in yaml.safe_load(file.read_text(encoding="utf-8")):
            modules = {key for key in task if "." in key}
            assert all(name in seen or name.startswith(declared.MODULES) for name in modules), file
            assert modules, file
