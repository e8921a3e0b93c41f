"""The whole way, on real hosts: up, verify, lose a coast under load, come home, mend, down.

The tests stand in the order of an estate's life and share one estate, `test`; each asserts one thing that
a user relies on. What takes long is done once, in a fixture.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from mirrorforce import estate_file, inventory, placement, remote
from mirrorforce.errors import ExitCode
from mirrorforce.lab import estate as lab
from mirrorforce.operations import application, demo, workload
from mirrorforce.operations.verify_report import in_words
from mirrorforce.workspace import ROOT
from tests.lab.breakages import BREAKAGES, Breakage
from tests.lab.user import ENV, Done, User, declare_test_estate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.estate import Estate
    from mirrorforce.operations.workload_report import WorkloadReport

RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+"
                   r"unreachable=(?P<unreachable>\d+)\s+failed=(?P<failed>\d+)", re.MULTILINE)  # fmt: skip
ROTATED = {"ssh-key", "na1-application", "na1-etcd"}
ROTATED_WITHIN = 900.0
STARTED = (
    "systemctl show --property=Id,ActiveEnterTimestampMonotonic "
    "etcd gdnsd leader_watcher patroni unbound ssh mirrorforce-firewall; "
    "stat -c %Y /var/lib/mirrorforce/converged"
)


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    declare_test_estate()
    someone = User()
    someone.mirrorforce("down", ENV, "--yes")
    yield someone
    someone.mirrorforce("down", ENV, "--yes")
    for command, seconds in someone.seconds.items():
        print(f"{seconds:7.1f} s  {command}")  # noqa: T201 (shown by pytest -s, and where a test failed)


@pytest.fixture(scope="module")
def estate(user: User) -> Estate:
    return estate_file.load(user.ws.estate_file)


@pytest.fixture(scope="module")
def first_up(user: User) -> Done:
    """Without an estate that stands, nothing below can be tested: a failure here says so at once."""
    done = user.mirrorforce("up", ENV)
    assert done.status == ExitCode.AS_DECLARED, done
    return done


@pytest.fixture(scope="module")
def demo_report(user: User, estate: Estate, first_up: Done) -> dict[str, Any]:
    """The main job, once: the same steps that `make demo` shows to a person."""
    assert first_up.status == ExitCode.AS_DECLARED
    hosts = inventory.read(user.ws, estate)
    said: list[str] = []
    report = demo.prepare(user.ws, estate, hosts, say=said.append).run()
    user.ws.reports.mkdir(parents=True, exist_ok=True)
    (user.ws.reports / "demo.json").write_text(json.dumps(report, indent=2))
    print("\n".join(said))  # noqa: T201
    return report


@pytest.fixture(scope="module")
def rotation(user: User, estate: Estate, demo_report: dict[str, Any]) -> tuple[Done, WorkloadReport]:
    """New values for what people, applications and Patroni show, while clients commit."""
    assert demo_report["steps"]
    host = application.host_of(inventory.read(user.ws, estate))
    clients = workload.start(user.ws, host, "na1", seconds=ROTATED_WITHIN, groups=workload.WRITERS)
    done = user.mirrorforce("secrets", "rotate", *ROTATED, "--yes")
    clients.stop(user.ws)
    try:
        return done, clients.judge(user.ws)
    finally:
        clients.forget(user.ws)


def step(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one["found"] for one in report["steps"] if one["name"] == name)
    return found


def valid(document: dict[str, Any], schema: str) -> dict[str, Any]:
    rules = json.loads((ROOT / "schemas" / f"{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator(rules).validate(document)
    return document


def when_services_started(user: User, estate: Estate) -> dict[str, str]:
    hosts = [host.name for host in placement.hosts(estate)]
    answers = remote.run_on_all(user.ws, hosts, STARTED, timeout=20.0)
    assert all(answer.reached for answer in answers.values()), answers
    return {name: answer.stdout for name, answer in answers.items()}


@pytest.mark.usefixtures("first_up")
class TestStandingUp:
    def test_every_check_passes_after_up(self, user: User) -> None:
        report = valid(json.loads((user.ws.reports / "verify.json").read_text()), "verify")
        assert report["failed"] == 0
        assert report["passed"] > len(report["checks"])

    def test_status_says_who_leads_where(self, user: User, estate: Estate) -> None:
        done = user.mirrorforce("status", ENV, "--json")
        assert done.status == ExitCode.AS_DECLARED, done
        report = valid(json.loads(done.out), "status")
        homes = {cell["name"]: cell["primary"]["site"] for cell in report["cells"]}
        assert homes == {cell.name: cell.preferred_site for cell in estate.cells}
        assert all(site["up"] for site in report["sites"])

    def test_a_second_up_touches_nothing(self, user: User, estate: Estate) -> None:
        before = when_services_started(user, estate)
        done = user.mirrorforce("up", ENV)
        assert done.status == ExitCode.AS_DECLARED, done
        assert when_services_started(user, estate) == before

    def test_a_second_converge_changes_nothing(self, user: User, estate: Estate) -> None:
        done = user.plain("ansible-playbook", "playbooks/site.yml", "--diff")
        assert done.status == 0, done
        hosts = {found["host"]: found for found in RECAP.finditer(done.out)}
        assert hosts.keys() == {host.name for host in placement.hosts(estate)}
        assert {name for name, found in hosts.items() if found["changed"] != "0"} == set(), done

    def test_a_converge_in_check_mode_shows_no_difference(self, user: User) -> None:
        """One host of each role: the hosts of a role differ in their variables alone."""
        done = user.plain(
            "ansible-playbook",
            "playbooks/site.yml",
            "--check",
            "--diff",
            "--limit",
            "west-control:west-na1:dev-app",
        )
        assert done.status == 0, done
        assert len(RECAP.findall(done.out)) == 3
        assert all(found["changed"] == "0" for found in RECAP.finditer(done.out)), done
        assert not re.search(r"^(---|\+\+\+) ", done.out, re.MULTILINE), done

    def test_preview_expects_no_changes(self, user: User) -> None:
        done = user.mirrorforce("preview", ENV, "--expect-no-changes")
        assert done.status == ExitCode.AS_DECLARED, done

    @pytest.mark.parametrize("stack", ["west", "interconnect"])
    def test_plain_pulumi_expects_no_changes(self, user: User, stack: str) -> None:
        for line in (("preview",), ("refresh", "--preview-only")):
            done = user.plain(
                "pulumi", *line, "-s", f"{ENV}-{stack}", "--expect-no-changes", "--non-interactive"
            )
            assert done.status == 0, done


@pytest.fixture(scope="module")
def facts(user: User, first_up: Done, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What hosts say, kept by a plain `pytest tests/hosts`, which has to pass as well."""
    assert first_up.status == ExitCode.AS_DECLARED
    path = tmp_path_factory.mktemp("facts") / "facts.json"
    done = user.plain("pytest", "tests/hosts", "-q", f"--facts-to={path}")
    assert done.status == 0, done
    return path


class TestChecks:
    """A check that cannot fail is a defect: each kind of trouble must make the right ones fail."""

    @pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda one: one.name)
    def test_each_trouble_is_found(self, breakage: Breakage, user: User, facts: Path, tmp_path: Path) -> None:
        broken = json.loads(facts.read_text())
        breakage.change(broken)
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        done = user.checks(tmp_path / "broken.json", tmp_path / "report.json")
        assert done.status == 1, done
        report = valid(json.loads((tmp_path / "report.json").read_text()), "verify")
        failed = {(one["check"], one["subject"]) for one in report["results"] if one["outcome"] == "failed"}
        wanted = {in_words(test) for test in breakage.found_by}
        assert wanted <= failed
        assert not report["as_declared"]


class TestTheLossOfACoast:
    def test_nothing_fell_short(self, demo_report: dict[str, Any]) -> None:
        assert demo_report["shortfalls"] == []

    @pytest.mark.parametrize("when", ["compare", "compare again"])
    def test_every_member_holds_the_same_rows(self, demo_report: dict[str, Any], when: str) -> None:
        for cell in step(demo_report, when)["cells"]:
            assert cell["agrees"], cell
            contents = list(cell["members"].values())
            assert len(contents) == 3
            assert all(content == contents[0] for content in contents)
            assert contents[0]["pgbench_accounts"]["rows"] == 2_000_000

    def test_another_site_took_over_and_dns_followed(self, demo_report: dict[str, Any]) -> None:
        lost = step(demo_report, "lose the site")
        assert lost["old_primary"] == "east-na1"
        assert lost["new_primary"]["site"] in {"west", "legacy"}
        assert lost["new_primary"]["dns_follows_after"] >= lost["new_primary"]["leads_after"]

    @pytest.mark.parametrize("when", ["lose the site", "go home"])
    def test_no_acknowledged_row_is_lost(self, demo_report: dict[str, Any], when: str) -> None:
        for cell, counted in step(demo_report, when)["cells"].items():
            assert counted["acknowledged"] > 50, cell
            assert counted["lost"] == [], cell
            assert counted["impossible"] == [], cell

    def test_the_writers_reconnected_by_name(self, demo_report: dict[str, Any]) -> None:
        assert len(step(demo_report, "lose the site")["cells"]["na1"]["servers"]) >= 2

    def test_status_said_what_was_dead(self, demo_report: dict[str, Any]) -> None:
        report = valid(step(demo_report, "lose the site")["status_of_the_dead"]["report"], "status")
        assert [site["name"] for site in report["sites"] if not site["up"]] == ["east"]
        assert "site east is down: none of its 3 hosts answers" in report["problems"]

    def test_the_lost_site_rejoined_by_itself(self, demo_report: dict[str, Any]) -> None:
        back = step(demo_report, "bring the site back")
        assert back["members"]["east-na1"] == "standby"
        assert back["primary"]["site"] != "east"

    def test_a_switchover_brought_the_cell_home(self, demo_report: dict[str, Any], user: User) -> None:
        assert step(demo_report, "go home")["switchover"]["to"] == "east-na1"
        done = user.mirrorforce("status", ENV, "--json")
        assert json.loads(done.out)["cells"][0]["primary"]["site"] == "east"


class TestRotation:
    def test_secrets_get_new_values_and_the_old_ones_are_refused(
        self, rotation: tuple[Done, WorkloadReport], user: User
    ) -> None:
        assert rotation[0].status == ExitCode.AS_DECLARED, rotation[0]
        listed = json.loads(user.mirrorforce("secrets", "list", "--json").out)
        valid(listed, "secrets")
        ages = {one["name"]: one["half_rotated"] for one in listed["secrets"]}
        assert ages.keys() >= ROTATED
        assert {name for name, half in ages.items() if half} == set()

    def test_no_client_is_turned_away_meanwhile_and_no_row_is_lost(
        self, rotation: tuple[Done, WorkloadReport]
    ) -> None:
        judged = rotation[1]
        assert judged.acknowledged > 0
        assert (judged.rejected, judged.lost) == (0, ())


@pytest.mark.usefixtures("rotation")
class TestTrouble:
    def test_a_host_without_power_is_seen_and_mended_by_a_plain_up(self, user: User) -> None:
        assert user.mirrorforce("lab", "power-off", "legacy-na1", "--env", ENV).status == 0
        seen = user.plain(
            "pulumi", "preview", "-s", f"{ENV}-legacy", "--expect-no-changes", "--non-interactive"
        )
        assert seen.status != 0, seen
        mended = user.plain(
            "pulumi", "up", "-s", f"{ENV}-legacy", "--yes", "--skip-preview", "--non-interactive"
        )
        assert mended.status == 0, mended
        whole = user.mirrorforce("wait", ENV)
        assert whole.status == ExitCode.AS_DECLARED, whole

    @pytest.mark.parametrize(
        ("command", "said"),
        [
            (("hostname",), "east-na1"),
            (("printf", "%s|", "a b", "c"), "a b|c|"),
            (("printf '%s\\n' one two | tail -1",), "two"),
        ],
    )
    def test_a_command_on_a_host_keeps_its_words_and_a_line_is_the_shells(
        self, user: User, command: tuple[str, ...], said: str
    ) -> None:
        done = user.mirrorforce("ssh", "east-na1", *command)
        assert done.status == 0, done
        assert done.out.strip() == said

    def test_verify_passes_after_all_this(self, user: User) -> None:
        done = user.mirrorforce("verify", ENV, "--json")
        report = valid(json.loads(done.out), "verify")
        assert done.status == ExitCode.AS_DECLARED, [
            one for one in report["results"] if one["outcome"] == "failed"
        ]

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (("switchover", "na1", "--to", "eastt"), "did you mean 'east'?"),
            (("switchover", "na3", "--to", "east"), "there is no cell 'na3'"),
            (("switchover", "na1", "--to", "dev"), "na1 has no member in dev"),
            (("ssh", "east-na1x", "true"), "did you mean 'east-na1'?"),
            (("status", "tset"), "tset"),
        ],
    )
    def test_a_wrong_name_is_bad_input_and_says_the_right_one(
        self, user: User, line: tuple[str, ...], said: str
    ) -> None:
        done = user.mirrorforce(*line)
        assert done.status == ExitCode.BAD_INPUT, done
        assert said in " ".join((done.out + done.err).split()), done


@pytest.mark.usefixtures("first_up")
def test_down_leaves_nothing(user: User) -> None:
    done = user.mirrorforce("down", ENV, "--yes")
    assert done.status == ExitCode.AS_DECLARED, done
    assert not lab.exists(ENV)
    assert not user.ws.state.exists()
    assert not user.ws.lock.exists()
    assert list((ROOT / "stacks").glob(f"Pulumi.{ENV}-*.yaml")) == []
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    assert [line for line in mounts if within(user.ws.state).search(line)] == []
    assert list(Path("/run/netns").glob(f"mf-{ENV}-*")) == []
    assert processes_naming(user.ws.state) == []


def within(folder: Path) -> re.Pattern[str]:
    """A path in this folder, not in one whose name only begins with it: another estate's."""
    return re.compile(re.escape(str(folder)) + r"(?![\w-])")


def processes_naming(state: Path) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if within(state).search(line):
            found.append(line)
    return found
