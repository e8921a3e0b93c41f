"""The libpq services of an application host, as the role's templates write them."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
import yaml

from mirrorforce import dns_variables, estate_file, placement, secrets
from mirrorforce.operations import application, workload

if TYPE_CHECKING:
    from mirrorforce.estate import Estate

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "roles" / "application"


@pytest.fixture(scope="module")
def estate() -> Estate:
    return estate_file.load(ROOT / "stacks" / "lab.yaml")


@pytest.fixture(scope="module")
def known(estate: Estate) -> secrets.EstateSecrets:
    return secrets.generate(estate)


def rendered(template: str, estate: Estate, known: secrets.EstateSecrets) -> str:
    defaults: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    # As Ansible renders: a block's own line end is not part of the text.
    loader = jinja2.FileSystemLoader(ROLE / "templates")
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701 (no HTML)
    host = next(each for each in placement.hosts(estate) if each.role == "application")
    variables = dns_variables.application(estate, host, known)
    return environment.get_template(template).render({**defaults, **variables})


@pytest.fixture(scope="module")
def services(estate: Estate, known: secrets.EstateSecrets) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(delimiters="=", interpolation=None, strict=True)
    parser.read_string(rendered("pg_service.conf.j2", estate, known))
    return parser


def test_every_service_that_operations_ask_for_is_there(
    estate: Estate, services: configparser.ConfigParser
) -> None:
    asked = {
        target
        for cell in estate.cells
        for target in (
            application.service(cell.name),
            application.service(cell.name, multi_host=True),
            application.service(cell.name, read_only=True),
        )
    }
    assert {f"service={name}" for name in services.sections()} == asked


def test_every_service_is_encrypted_verified_and_impatient(services: configparser.ConfigParser) -> None:
    own = {"host", "hostaddr", "user", "target_session_attrs"}
    shared = [{k: v for k, v in services[name].items() if k not in own} for name in services.sections()]
    assert all(one == shared[0] for one in shared)
    assert shared[0]["sslmode"] == "verify-full"
    assert {"connect_timeout", "keepalives_idle", "keepalives_count", "tcp_user_timeout"} <= set(shared[0])


def test_only_a_primary_is_good_enough_for_whoever_writes(services: configparser.ConfigParser) -> None:
    wanted = {name: services[name]["target_session_attrs"] for name in services.sections()}
    assert {name for name, attribute in wanted.items() if attribute == "read-write"} == {
        "na1", "na1-multi", "na2", "na2-multi",
    }  # fmt: skip


def test_the_list_of_members_asks_no_name_server(estate: Estate, services: configparser.ConfigParser) -> None:
    for cell in estate.cells:
        section = services[f"{cell.name}-multi"]
        members = {
            f"{each.name}.{estate.domain}": str(each.address)
            for each in placement.members_of_cell(estate, cell)
        }
        listed = section["host"].split(",")
        assert dict(zip(listed, section["hostaddr"].split(","), strict=True)) == members
        assert listed[0].startswith(cell.preferred_site)
        assert "hostaddr" not in services[cell.name]
        assert "hostaddr" not in services[f"{cell.name}-ro"]


def test_every_host_of_every_service_has_its_password(
    estate: Estate, known: secrets.EstateSecrets, services: configparser.ConfigParser
) -> None:
    lines = rendered("pgpass.j2", estate, known).splitlines()
    found = {tuple(line.split(":")[:4]): line.split(":", 4)[4] for line in lines if not line.startswith("#")}
    for name in services.sections():
        section = services[name]
        of_cell = known.cells[name.split("-")[0]]
        expected = of_cell.reader_password if name.endswith("-ro") else of_cell.application_password
        for host in section["host"].split(","):
            assert found[host, section["port"], section["dbname"], section["user"]] == expected


def test_clients_name_services_that_are_there(services: configparser.ConfigParser) -> None:
    arguments = [group.by_service("na1") for group in workload.EVERY_KIND]
    targets = {argument.split(":", 3)[3].removeprefix("service=") for argument in arguments}
    assert targets == {"na1", "na1-multi", "na1-ro"}
    assert targets <= set(services.sections())


def test_the_list_of_members_has_no_nearest_one() -> None:
    with pytest.raises(ValueError, match="DNS name alone"):
        application.service("na1", read_only=True, multi_host=True)
