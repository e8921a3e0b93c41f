from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from mirrorforce import agent_variables, estate_file, flows, placement, role_variables, secrets
from toolchain.reference import roles as reference

if TYPE_CHECKING:
    from mirrorforce.estate import Estate
    from mirrorforce.role_variables import Variables

ROOT = Path(__file__).parents[2]
ROLES = {
    "control": ("base", "pki", "etcd", "failover_dns"),
    "database": ("base", "pki", "volumes", "failover_agent", "postgres"),
    "application": ("base", "pki", "resolver", "application"),
}


@pytest.fixture(scope="module", params=["lab", "aws"])
def estate(request: pytest.FixtureRequest) -> Estate:
    return estate_file.load(ROOT / "stacks" / f"{request.param}.yaml")


@pytest.fixture(scope="module")
def known(estate: Estate) -> secrets.EstateSecrets:
    return secrets.generate(estate)


@pytest.fixture(scope="module")
def variables(estate: Estate, known: secrets.EstateSecrets) -> dict[str, Variables]:
    hosts = placement.hosts(estate)
    return {host.name: role_variables.for_host(estate, hosts, host, known) for host in hosts}


def options(role: str) -> dict[str, Any]:
    return dict(reference.specification(role)["options"])


def test_every_host_gets_what_its_roles_require(estate: Estate, variables: dict[str, Variables]) -> None:
    for host in placement.hosts(estate):
        for role in ROLES[host.role]:
            required = {name for name, option in options(role).items() if option.get("required")}
            assert required <= set(variables[host.name]), (host.name, role)


def test_no_host_gets_a_variable_that_its_roles_do_not_document(
    estate: Estate, variables: dict[str, Variables]
) -> None:
    for host in placement.hosts(estate):
        documented = {name for role in ROLES[host.role] for name in options(role)}
        assert set(variables[host.name]) <= documented, host.name


def test_what_a_host_gets_and_what_stands_for_the_rest_are_of_the_types_that_its_roles_ask_for(
    estate: Estate, variables: dict[str, Variables]
) -> None:
    for host in placement.hosts(estate):
        for role in ROLES[host.role]:
            known = {**reference.defaults(role), **variables[host.name]}
            validator = ArgumentSpecValidator(options(role))
            given = {name: value for name, value in known.items() if name in options(role)}
            assert validator.validate(given).error_messages == [], (host.name, role)


def test_a_look_at_the_primary_has_time_for_its_round_trips_and_for_a_busy_server() -> None:
    lab = estate_file.load(ROOT / "stacks" / "lab.yaml")
    assert agent_variables.look_limit(lab, "west", ["west", "east", "legacy"]) == 0.48  # 70 ms to the east
    assert agent_variables.look_limit(lab, "west", ["west", "legacy"]) == 0.26
    assert agent_variables.look_limit(lab, "west", ["west"]) == agent_variables.LOOK_S


def test_agents_know_which_voter_is_lost_with_a_members_site(
    estate: Estate, variables: dict[str, Variables]
) -> None:
    hosts = placement.hosts(estate)
    voters = {host.site: f"{host.address}:2379" for host in hosts if host.role == "control"}
    for host in hosts:
        given: Any = variables[host.name]
        for member in given.get("failover_agent_members", {}).values():
            assert member["voter"] == voters.get(member["site"], ""), host.name


def test_site_yml_gives_each_host_these_roles() -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    by_hosts = {
        play["hosts"]: tuple(role["role"] for role in play["roles"]) for play in plays if "roles" in play
    }
    for role, expected in ROLES.items():
        assert by_hosts["all"] + by_hosts[role] == expected


def test_variables_are_plain_json(variables: dict[str, Variables]) -> None:
    assert json.loads(json.dumps(variables)) == variables


def test_a_certificate_bears_every_name_that_clients_verify(
    estate: Estate, variables: dict[str, Variables]
) -> None:
    for host in placement.hosts(estate):
        certificates: Any = variables[host.name]["pki_certificates"]
        names = certificates[0]["names"]
        assert f"{host.name}.{estate.domain}" in names
        if host.cell:
            assert {f"{host.cell}.{estate.domain}", f"{host.cell}-ro.{estate.domain}"} <= set(names)
        assert str(host.address) in certificates[0]["addresses"]


def test_no_certificate_bears_a_common_name(variables: dict[str, Variables]) -> None:
    """With authentication on, etcd 3.5 turns down clients of its JSON gateway whose certificate has one."""
    for host in variables.values():
        certificates: Any = host["pki_certificates"]
        assert [certificate["common_name"] for certificate in certificates] == [""]


def test_the_packet_filter_is_the_table_of_flows(estate: Estate, variables: dict[str, Variables]) -> None:
    hosts = placement.hosts(estate)
    for host in hosts:
        rules: Any = variables[host.name]["base_rules"]
        expected = [
            (rule.name, rule.protocol, rule.port or 0, [str(source) for source in rule.sources])
            for rule in flows.rules_for(estate, hosts, host)
        ]
        assert [(rule["name"], rule["protocol"], rule["port"], rule["sources"]) for rule in rules] == expected


def test_a_host_knows_no_password_that_is_not_its_business(
    variables: dict[str, Variables], known: secrets.EstateSecrets
) -> None:
    of_na2 = set(vars_of(known, "na2"))
    assert not of_na2 & texts(variables["east-na1"])
    assert known.etcd_root_password not in texts(variables["east-na1"]) | texts(variables["dev-app"])
    assert known.ssh_private_key not in {text for host in variables.values() for text in texts(host)}
    of_na1 = known.cells["na1"]
    assert not {of_na1.superuser_password, of_na1.replication_password} & texts(variables["dev-app"])


def vars_of(known: secrets.EstateSecrets, cell: str) -> list[str]:
    values = known.cells[cell]
    return [getattr(values, name) for name in values.__dataclass_fields__]


def texts(value: object) -> set[str]:
    """Every text in a nested value."""
    if isinstance(value, dict):
        return set().union(*map(texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts, value))
    return {value} if isinstance(value, str) else set()


def test_the_lab_leaves_the_kernel_and_the_clock_alone_and_aws_does_not(
    estate: Estate, variables: dict[str, Variables]
) -> None:
    owned = estate.name != "lab"
    for host in variables.values():
        assert host["base_owns_kernel"] == host["base_owns_clock"] == owned


def test_hosts_on_aws_ask_its_own_clock_and_know_how_large_their_volumes_are_to_be(
    estate: Estate, variables: dict[str, Variables]
) -> None:
    on_aws = estate.name == "aws"
    for host in placement.hosts(estate):
        assert ("base_clock_servers" in variables[host.name]) == on_aws
        sizes = variables[host.name].get("volumes_sizes_mib")
        assert sizes == ({"data": 102400, "wal": 32768} if on_aws and host.role == "database" else None)
