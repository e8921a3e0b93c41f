"""A voter of etcd: join again after a lost disk, and users with authentication on."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: etcd
short_description: Let a voter join again, converge users with authentication on
description:
  - In phase V(join), where this voter's data is gone and the other voters hold a cluster, the old identity is
    removed and a new one added, so that the voter starts as one that has promised nothing. It learns first
    and votes once it has caught up, so that the others' majority does not wait for it.
  - Where the others hold the keys of a cluster that has no majority, it fails and begins none beside it.
  - In phase V(users), root, the declared users and their roles are brought about, and authentication is on.
options:
  phase:
    description: What to do.
    type: str
    choices: [join, users]
    required: true
  access:
    description: How etcd is reached, and as whom.
    type: dict
    required: true
    suboptions:
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
      root_password:
        description: The password of root.
        type: str
        required: true
      root_password_before:
        description: Another one that may be in force still, while it is being rotated.
        type: str
  voters:
    description: Addresses by name.
    type: dict
    required: true
  voter:
    description: This voter's name.
    type: str
    required: true
  data:
    description: The data folder, for phase V(join).
    type: path
  users:
    description: Users beside root; others are deleted.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      role:
        description: Name of its role, which users may share; without, the user's own name.
        type: str
      password:
        description: Its password.
        type: str
        required: true
      permissions:
        description: What it may do; whatever else it may is taken from it.
        type: list
        elements: dict
        required: true
        suboptions:
          prefix:
            description: Keys that begin so.
            type: str
          key:
            description: This one key.
            type: str
          access:
            description: What it may do with them.
            type: str
            choices: [READ, READWRITE]
            required: true
  wait_seconds:
    description: How long the cluster may take to answer.
    type: int
    default: 60
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Converge users
  mirrorforce.estate.etcd:
    phase: users
    access: "{{ etcd_access }}"
    voters: {east-control: 198.18.1.10}
    voter: east-control
    users:
      - name: na1
        password: "{{ password }}"
        permissions: [{prefix: /service/na1/, access: READWRITE}]
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: always
  type: list
  elements: str
"""

import base64
import json
import os
import ssl
import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule

CLIENT_PORT = 2379
PEER_PORT = 2380
JOIN_FILE = "/etc/default/etcd-join"


class EtcdError(Exception):
    """etcd refused, or did not answer."""


class Etcd:
    """The JSON gateway of one voter, asked as root."""

    def __init__(self, address, access, timeout=5):
        self.url = f"https://{address}:{CLIENT_PORT}/v3"
        self.timeout = timeout
        self.context = ssl.create_default_context(cafile=access["ca"])
        self.context.load_cert_chain(access["certificate"], access["key"])
        self.token = None

    def call(self, path, **body):
        """The answer's document; EtcdError with etcd's own words."""
        request = urllib.request.Request(f"{self.url}/{path}", json.dumps(body).encode())  # noqa: S310
        if self.token:
            request.add_header("Authorization", self.token)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout, context=self.context) as reply:  # noqa: S310
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            try:
                raise EtcdError(json.loads(text)["error"]) from None
            except (ValueError, KeyError):
                raise EtcdError(text) from None
        except OSError as error:
            raise EtcdError(str(error)) from None

    def log_in(self, access):
        """Be root where authentication is on; whether it is. Only root may ask for its status."""
        before = access.get("root_password_before")
        passwords = [access["root_password"], *([before] if before else [])]
        self.token = None
        for password in passwords:
            try:
                self.token = self.call("auth/authenticate", name="root", password=password)["token"]
            except EtcdError as error:
                if "authentication is not enabled" in str(error):
                    return False
                # While it is being rotated, the one before may be in force still.
                if password is passwords[-1] or "authentication failed" not in str(error):
                    raise
            else:
                break
        return True

    def knows(self, name, password):
        """Whether that is the user's password. Only with authentication on."""
        try:
            self.call("auth/authenticate", name=name, password=password)
        except EtcdError as error:
            if "authentication failed" in str(error):
                return False
            raise
        return True


def as_etcd(permission):
    """A permission in etcd's words: its keys as base64, for a prefix with the end of what begins so."""
    first = permission.get("prefix") or permission["key"]
    found = {"permType": permission["access"], "key": base64.b64encode(first.encode()).decode()}
    if permission.get("prefix"):
        end = first[:-1] + chr(ord(first[-1]) + 1)
        found["range_end"] = base64.b64encode(end.encode()).decode()
    return found


def role_of(user):
    """The name of a user's role: its own, or one that it shares."""
    return user.get("role") or user["name"]


def role_changes(found, user):
    """(action, path, body) for a user's role: its permissions, nothing else. `found` None: no role."""
    name, wanted = role_of(user), [as_etcd(permission) for permission in user["permissions"]]
    # The gateway leaves out what is the default: READ.
    held = [{"permType": "READ", **permission} for permission in found or []]
    if found is None:
        yield f"create role {name}", "auth/role/add", {"name": name}
    for permission in held:
        if permission not in wanted:
            place = {"key": permission["key"], "range_end": permission.get("range_end", "")}
            yield f"revoke from role {name}", "auth/role/revoke", {"role": name, **place}
    for permission, given in zip(wanted, user["permissions"], strict=True):
        if permission not in held:
            keys = given.get("prefix") or given["key"]
            yield f"grant {keys} to role {name}", "auth/role/grant", {"name": name, "perm": permission}


def user_changes(roles, user, role, *, known):
    """The same for a user; `roles` None: no user. `known`: whether the password is right, or None."""
    name = user["name"]
    if roles is None:
        yield f"create user {name}", "auth/user/add", {"name": name, "password": user["password"]}
    elif known is False:
        yield (
            f"set the password of {name}",
            "auth/user/changepw",
            {"name": name, "password": user["password"]},
        )
    for other in roles or []:
        if other != role:
            yield f"take role {other} from {name}", "auth/user/revoke", {"name": name, "role": other}
    if role not in (roles or []):
        yield f"give role {role} to {name}", "auth/user/grant", {"user": name, "role": role}


def converge_users(etcd, access, users, check_mode):
    """Bring users about; what was done."""
    root_password = access["root_password"]
    enabled = etcd.log_in(access)
    root = {"name": "root", "password": root_password}
    names = set(etcd.call("auth/user/list").get("users", []))
    roles = set(etcd.call("auth/role/list").get("roles", []))
    changes = []
    if "root" not in roles:
        changes.append(("create role root", "auth/role/add", {"name": "root"}))
    for user in {role_of(user): user for user in users}.values():
        role = role_of(user)
        held = etcd.call("auth/role/get", role=role).get("perm", []) if role in roles else None
        changes += role_changes(held, user)
    gone = names - {"root"} - {user["name"] for user in users}
    deleted = [(f"delete user {name}", "auth/user/delete", {"name": name}) for name in sorted(gone)]
    # Root comes last: a new password of its own ends the session in which this is done.
    for user in (*users, root):
        name = user["name"]
        if user is root:
            changes += deleted
        has = etcd.call("auth/user/get", name=name).get("roles", []) if name in names else None
        # Passwords can be compared only where authentication is on; before, they are simply set.
        known = enabled and etcd.knows(name, user["password"]) if name in names else None
        changes += user_changes(has, user, role_of(user), known=known)
    if not enabled:
        changes.append(("turn authentication on", "auth/enable", {}))
    if not check_mode:
        for _what, path, body in changes:
            etcd.call(path, **body)
    return [what for what, _path, _body in changes]


def patiently(action, seconds):
    """The action's result; tried again while etcd does not answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except EtcdError as error:
            if "authentication failed" in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(1)


class Others:
    """The other voters, asked in turn."""

    def __init__(self, access, voters, voter):
        self.access = access
        self.mine = f"https://{voters[voter]}:{PEER_PORT}"
        self.voter = voter
        self.addresses = [address for name, address in voters.items() if name != voter]

    def cluster(self):
        """The first one that answers with a majority behind it, and the members; None where none does."""
        for address in self.addresses:
            etcd = Etcd(address, self.access, timeout=3)
            try:
                etcd.log_in(self.access)
                return etcd, etcd.call("cluster/member/list")["members"]
            except EtcdError:
                continue
        return None

    def with_keys(self):
        """The addresses of those that hold keys, whether a majority is behind them or not."""
        return [address for address in self.addresses if self._has_keys(address)]

    def _has_keys(self, address):
        try:
            status = Etcd(address, self.access, timeout=3).call("maintenance/status")
        except EtcdError:
            return False
        # An empty store is at revision 1.
        return int(status.get("header", {}).get("revision", 1)) > 1

    def found(self):
        """The cluster, or None where there has never been one; EtcdError where it has lost its majority."""
        cluster = self.cluster()
        if cluster is None and (holding := self.with_keys()):
            raise EtcdError(
                f"{', '.join(holding)} holds the keys of a cluster without a majority, and a voter without "
                "data must not begin another one beside it: give the lost voters power, or, where they are "
                "gone for good, mirrorforce recover (mirrorforce status names the whole command)"
            )
        return cluster

    def identities(self, members):
        """The members that stand for this voter."""
        return [member for member in members if self.mine in member.get("peerURLs", [])]


def initial_cluster(members, voter, mine):
    """What ETCD_INITIAL_CLUSTER has to say to one that joins: the members as they are, itself among them."""
    names = [(voter if url == mine else member.get("name", ""), url)
             for member in members for url in member["peerURLs"]]  # fmt: skip
    return ",".join(f"{name}={url}" for name, url in names)


def write_join_file(members, voter, mine):
    """Tell etcd's unit whom it joins: never a cluster of its own."""
    with open(f"{JOIN_FILE}.new", "w", encoding="ascii") as file:
        file.write("ETCD_INITIAL_CLUSTER_STATE=existing\n")
        file.write(f"ETCD_INITIAL_CLUSTER={initial_cluster(members, voter, mine)}\n")
    os.replace(f"{JOIN_FILE}.new", JOIN_FILE)


def begin_learning(others, start):
    """Take a new identity in the others' cluster, and start as a learner; what was done."""
    found = others.found()
    if found is None:
        return []
    etcd, members = found
    for member in others.identities(members):
        etcd.call("cluster/member/remove", ID=member["ID"])
    added = etcd.call("cluster/member/add", peerURLs=[others.mine], isLearner=True)
    write_join_file(added["members"], others.voter, others.mine)
    start()
    return ["join the others' cluster anew"]


def vote(others):
    """Be promoted where this voter still learns; what was done. EtcdError while it has not caught up."""
    found = others.cluster()
    for member in others.identities(found[1]) if found else []:
        if member.get("isLearner"):
            found[0].call("cluster/member/promote", ID=member["ID"])
            return ["vote in the cluster"]
    return []


def join(others, data, seconds, check_mode, start):
    """Join anew where the data is gone, and vote; what was done, or would be."""
    fresh = not os.path.isdir(os.path.join(data, "member"))
    if check_mode:
        return ["join the others' cluster anew"] if fresh and others.cluster() else []
    actions = patiently(lambda: begin_learning(others, start), seconds) if fresh else []
    if actions or os.path.exists(JOIN_FILE):
        actions = actions + patiently(lambda: vote(others), seconds)
    return actions


def main():
    """Do the phase."""
    module = AnsibleModule(
        argument_spec={
            "phase": {"type": "str", "choices": ["join", "users"], "required": True},
            "access": {
                "type": "dict",
                "required": True,
                "options": {
                    "ca": {"type": "path", "required": True},
                    "certificate": {"type": "path", "required": True},
                    "key": {"type": "path", "required": True, "no_log": False},
                    "root_password": {"type": "str", "required": True, "no_log": True},
                    "root_password_before": {"type": "str", "no_log": True},
                },
            },
            "voters": {"type": "dict", "required": True},
            "voter": {"type": "str", "required": True},
            "data": {"type": "path"},
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "role": {"type": "str"},
                    "password": {"type": "str", "required": True, "no_log": True},
                    "permissions": {
                        "type": "list",
                        "elements": "dict",
                        "required": True,
                        "options": {
                            "prefix": {"type": "str"},
                            "key": {"type": "str", "no_log": False},
                            "access": {"type": "str", "choices": ["READ", "READWRITE"], "required": True},
                        },
                        "required_one_of": [["prefix", "key"]],
                        "mutually_exclusive": [["prefix", "key"]],
                    },
                },
            },
            "wait_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    access, voters, voter = given["access"], given["voters"], given["voter"]

    def start():
        for words in (["daemon-reload"], ["restart", "--no-block", "etcd.service"]):
            module.run_command(["systemctl", *words], check_rc=True)

    try:
        if given["phase"] == "join":
            others = Others(access, voters, voter)
            actions = join(others, given["data"], given["wait_seconds"], module.check_mode, start)
        else:
            etcd = Etcd(voters[voter], access)
            actions = patiently(
                lambda: converge_users(etcd, access, given["users"], module.check_mode),
                given["wait_seconds"],
            )
    except EtcdError as error:
        module.fail_json(msg=f"etcd: {error}. Next: journalctl -u etcd on the control hosts")
    module.exit_json(changed=bool(actions), actions=actions)


if __name__ == "__main__":
    main()
