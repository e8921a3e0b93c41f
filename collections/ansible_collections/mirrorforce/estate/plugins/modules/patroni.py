"""A member under Patroni: wait for it, and on the primary converge what the whole cell shares."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patroni
short_description: Wait for a member, and converge what its cell shares
description:
  - Waits until this member leads or streams from the primary (or until it is the primary).
  - Where this member is the primary, brings the dynamic configuration, the roles of applications and their
    database to the declared state. On a standby it changes nothing.
  - Has its REST API show the certificate on disk. Patroni misses a new one where its configuration changed
    in the same reload, and takes it up at the next.
  - A primary that was told to acknowledge alone (C(mirrorforce recover)) is left so until a standby confirms.
  - Passwords reach the server as SCRAM verifiers only. Parameters that wait for a restart are warned of.
options:
  rest:
    description: The member's REST API.
    type: dict
    required: true
    suboptions:
      url:
        description: Where it listens.
        type: str
        required: true
      ca:
        description: The authority's certificate.
        type: path
        required: true
      certificate:
        description: The host's certificate.
        type: path
        required: true
      key:
        description: The host's key.
        type: path
        required: true
      password:
        description: The password of the unsafe calls.
        type: str
        required: true
  wait_for:
    description: What to wait for.
    type: str
    choices: [member, primary]
    default: member
  wait_seconds:
    description: Fail after this many seconds; at once where this member lost its WAL and cannot start.
    type: int
    default: 180
  data_directory:
    description: Where PostgreSQL's data lies, its WAL behind the link in it.
    type: path
  configuration:
    description: Dynamic configuration. Keys that are not named stay, parameters that are not named go.
    type: dict
  roles:
    description: Roles of applications.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The role's name.
        type: str
        required: true
      owns_database:
        description: Whether it owns the database; else it reads.
        type: bool
        required: true
      logins:
        description:
          - Users that come in as this role, with their passwords. One may be the role itself; another one is
            its member, and works as the role from the first moment on.
        type: list
        elements: dict
        required: true
        suboptions:
          user:
            description: The user's name.
            type: str
            required: true
          password:
            description: The user's password.
            type: str
            required: true
      shut:
        description: Users that are let in no longer. Sessions that they have go on.
        type: list
        elements: str
        default: []
  member_roles:
    description: Roles of Patroni itself, where they are there, with their passwords.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The role's name.
        type: str
        required: true
      password:
        description: Its password.
        type: str
        required: true
  database:
    description: The application database.
    type: str
  restart_standby:
    description:
      - Restart Patroni where this member is a standby, and wait until it streams again. On the primary, warn
        only. A restart there is a failover; a switchover first makes it a standby.
    type: bool
    default: false
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Converge the cell
  mirrorforce.estate.patroni:
    rest: "{{ postgres_rest }}"
    configuration: {ttl: 20}
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: always
  type: list
  elements: str
"""

import base64
import hashlib
import hmac
import json
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mirrorforce.estate.plugins.module_utils.member import Rest, lacks_wal, role_of

PSQL = ("runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres")
ITERATIONS = 4096
STRICT = "synchronous_mode_strict"
STATE = """
select json_build_object(
  'roles', (select coalesce(json_object_agg(rolname, rolpassword), '{}') from pg_authid where rolcanlogin),
  'names', (select coalesce(json_agg(rolname), '[]') from pg_authid),
  'readers', (select coalesce(json_agg(member::regrole::text), '[]') from pg_auth_members
              where roleid = 'pg_read_all_data'::regrole),
  'owner', (select pg_get_userbyid(datdba) from pg_database where datname = :'database'),
  'open', (select coalesce(bool_or(grantee = 0), false)
           from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
           where datname = :'database'));
"""


def verifier(password, salt=None, iterations=ITERATIONS):
    """The SCRAM-SHA-256 verifier that PostgreSQL keeps of a password (RFC 5803, RFC 7677)."""
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = [
        base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client_key).digest(), server_key)
    ]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def is_of(password, kept):
    """Whether a kept verifier is that password's."""
    try:
        method, work, _keys = kept.split("$")
        iterations, salt = work.split(":")
        return method == "SCRAM-SHA-256" and hmac.compare_digest(
            verifier(password, base64.b64decode(salt), int(iterations)), kept
        )
    except (AttributeError, ValueError):
        return False


def patch_of(found, wanted):
    """What to PATCH so that the dynamic configuration becomes as wanted; {} where it is so.

    Of the parameters those go that are not wanted; of everything else what is not named stays.
    """
    patch = {key: value for key, value in wanted.items() if key != "postgresql" and found.get(key) != value}
    inner_found, inner = dict(found.get("postgresql") or {}), dict(wanted.get("postgresql") or {})
    parameters_found = dict(inner_found.get("parameters") or {})
    parameters = dict(inner.pop("parameters", None) or {})
    inner_patch = {key: value for key, value in inner.items() if inner_found.get(key) != value}
    changed = {name: value for name, value in parameters.items() if parameters_found.get(name) != value}
    gone = {name: None for name in parameters_found if name not in parameters}
    if changed or gone:
        inner_patch["parameters"] = {**changed, **gone}
    return {**patch, "postgresql": inner_patch} if inner_patch else patch


def statements(state, roles, database):
    """(what it does, SQL) for each difference between the server's state and the declared one."""
    for role in roles:
        name = role["name"]
        yield from access_changes(state, role)
        if not role["owns_database"] and name not in state["readers"]:
            yield f"let {name} read", f"GRANT pg_read_all_data TO {name}"
    owner = next((role["name"] for role in roles if role["owns_database"]), None)
    if not database or owner is None:
        return
    names = ", ".join(role["name"] for role in roles)
    closing = (
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC; GRANT CONNECT ON DATABASE "{database}" TO {names}'
    )
    if state["owner"] is None:
        yield f"create database {database}", f'CREATE DATABASE "{database}" OWNER {owner}'
        yield f"close database {database} to others", closing
        return
    if state["owner"] != owner:
        yield f"give database {database} to {owner}", f'ALTER DATABASE "{database}" OWNER TO {owner}'
    if state["open"]:
        yield f"close database {database} to others", closing


def access_changes(state, role):
    """The same for who comes in as a role."""
    name = role["name"]
    if name not in state["names"]:
        yield f"create role {name}", f"CREATE ROLE {name}"
    for login in role["logins"]:
        user = login["user"]
        if user != name and user not in state["names"]:
            yield (
                f"create role {user}, which works as {name}",
                f"CREATE ROLE {user} IN ROLE {name}; ALTER ROLE {user} SET role = '{name}'",
            )
        if not is_of(login["password"], state["roles"].get(user)):
            value = verifier(login["password"])
            yield f"set the password of {user}", f"ALTER ROLE {user} LOGIN PASSWORD '{value}'"
    for user in role.get("shut", []):
        if user in state["roles"]:
            yield f"let {user} in no longer", f"ALTER ROLE {user} NOLOGIN PASSWORD NULL"


def member_changes(state, roles):
    """The same for the passwords of Patroni's own roles, which it makes itself."""
    for role in roles:
        name = role["name"]
        if name in state["roles"] and not is_of(role["password"], state["roles"][name]):
            value = verifier(role["password"])
            yield f"set the password of {name}", f"ALTER ROLE {name} PASSWORD '{value}'"


def acknowledges_alone(found, member):
    """Whether this primary was told to go on alone, and still has no standby that confirms its commits."""
    standbys = member.get("replication") or []
    confirming = [one for one in standbys if one.get("sync_state") in ("quorum", "sync")]
    return found.get(STRICT) is False and not confirming


def converge_certificate(module, rest, every=5.0):
    """Have the REST API show the certificate on disk; what was done.

    Patroni 4.0 looks at the certificate where the signal found nothing new in its own file, else it does not
    (`reload_config`): so the signal is given again, a loop of Patroni later at the earliest.
    """
    if rest.shows_its_certificate():
        return []
    deadline = time.monotonic() + module.params["wait_seconds"]
    while not module.check_mode and not rest.shows_its_certificate():
        if time.monotonic() > deadline:
            module.fail_json(msg="Patroni's REST API does not take up the certificate on disk")
        code, out, error = module.run_command(["systemctl", "reload", "patroni.service"])
        if code:
            module.fail_json(msg=f"systemctl reload patroni.service: {(error or out).strip()}")
        time.sleep(every)
    return ["reload patroni.service: its REST API showed another certificate"]


def converge_configuration(module, rest, wanted):
    """Patch the dynamic configuration; what was done, and the differences."""
    status, found = rest.call("/config")
    if status != 200:  # noqa: PLR2004
        module.fail_json(msg=f"Patroni does not show its configuration: {status} {found}")
    patch = patch_of(found, wanted)
    # Strict again without a standby would hold every commit of a cell that was recovered from one site.
    if STRICT in patch and acknowledges_alone(found, rest.call("/patroni")[1] or {}):
        del patch[STRICT]
        module.warn("this primary acknowledges commits alone: converge again once a standby streams from it")
    if not patch:
        return [], []
    if not module.check_mode:
        status, answer = rest.call("/config", patch)
        if status != 200:  # noqa: PLR2004
            module.fail_json(msg=f"Patroni refuses its configuration: {status} {answer}")
    before = {key: found.get(key) for key in patch}
    shown = {
        "before_header": "dynamic configuration",
        "after_header": "dynamic configuration",
        "before": json.dumps(before, indent=2, sort_keys=True) + "\n",
        "after": json.dumps({**before, **patch}, indent=2, sort_keys=True) + "\n",
    }
    return ["dynamic configuration"], [shown]


def converge_roles(module, roles, member_roles, database):
    """Create and mend roles and the database; what was done."""

    def run(sql):
        code, out, error = module.run_command([*PSQL, "-v", f"database={database}"], data=sql, cwd="/")
        if code:
            module.fail_json(msg=f"PostgreSQL refuses: {error.strip()}")
        return out

    state = json.loads(run(STATE))
    needed = [*member_changes(state, member_roles), *statements(state, roles, database)]
    if not module.check_mode:
        for _what, sql in needed:
            run(sql + ";\n")
    return [what for what, _sql in needed]


def restart_standby(module, rest, role):
    """Restart Patroni, and PostgreSQL with it, on a standby; what was done."""
    if role == "primary":
        module.warn(
            "patroni.service of a primary waits for a restart: mirrorforce switchover, then converge again"
        )
        return []
    if not module.check_mode:
        code, out, error = module.run_command(["systemctl", "restart", "patroni.service"])
        if code:
            module.fail_json(msg=f"systemctl restart patroni.service: {(error or out).strip()}")
        seconds = module.params["wait_seconds"]
        if role_of(rest, "member", seconds)[0] is None:
            module.fail_json(msg=f"this member does not stream {seconds} s after its restart")
    return ["restart patroni.service"]


def listed(actions):
    """What was done, as a difference for a person."""
    return [{"before": "", "after": "".join(f"{what}\n" for what in actions)}] if actions else []


def main():
    """Wait, then converge where this member is the primary."""
    module = AnsibleModule(
        argument_spec={
            "rest": {
                "type": "dict",
                "required": True,
                "options": {
                    "url": {"type": "str", "required": True},
                    "ca": {"type": "path", "required": True},
                    "certificate": {"type": "path", "required": True},
                    "key": {"type": "path", "required": True, "no_log": False},
                    "password": {"type": "str", "required": True, "no_log": True},
                },
            },
            "wait_for": {"type": "str", "choices": ["member", "primary"], "default": "member"},
            "wait_seconds": {"type": "int", "default": 180},
            "data_directory": {"type": "path"},
            "configuration": {"type": "dict"},
            "roles": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "owns_database": {"type": "bool", "required": True},
                    "logins": {
                        "type": "list",
                        "elements": "dict",
                        "required": True,
                        "options": {
                            "user": {"type": "str", "required": True},
                            "password": {"type": "str", "required": True, "no_log": True},
                        },
                    },
                    "shut": {"type": "list", "elements": "str", "default": []},
                },
            },
            "member_roles": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "password": {"type": "str", "required": True, "no_log": True},
                },
            },
            "database": {"type": "str"},
            "restart_standby": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    rest = Rest(module.params["rest"])
    directory = module.params["data_directory"]
    role, last = role_of(rest, module.params["wait_for"], module.params["wait_seconds"], directory)
    if role is None:
        if directory and lacks_wal(directory):
            module.fail_json(
                msg=f"this member has lost its WAL ({directory}/pg_wal leads to nothing) and cannot start. "
                "Next: mirrorforce reinit, with its name, copies it anew from its cell's primary"
            )
        module.fail_json(
            msg=f"this member neither leads nor streams after {module.params['wait_seconds']} s; "
            f"its last word: {last}. Next: journalctl -u patroni on this host"
        )
    actions, diff = [], []
    if module.params["restart_standby"]:
        actions = restart_standby(module, rest, role)
        diff = listed(actions)
    else:
        actions = converge_certificate(module, rest)
        diff = listed(actions)
    if role == "primary" and not module.params["restart_standby"]:
        if module.params["configuration"]:
            done, shown = converge_configuration(module, rest, module.params["configuration"])
            actions, diff = actions + done, diff + shown
        if module.params["roles"]:
            given = module.params
            done = converge_roles(module, given["roles"], given["member_roles"], given["database"])
            actions, diff = actions + done, diff + listed(done)
    if (rest.call("/patroni")[1] or {}).get("pending_restart"):
        module.warn("parameters wait for a restart of PostgreSQL: switch over, then restart the old primary")
    module.exit_json(changed=bool(actions), actions=actions, role=role, diff=diff)


if __name__ == "__main__":
    main()
