"""Certificates of a host: keys are made here and stay here."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificates
short_description: Certificates of a host, signed on the controller, with keys that never leave the host
description:
  - Keys are made on the host, once. A signing request goes to the controller, which signs what is declared
    and nothing else.
  - A certificate is made anew when it nears its end, when what it says is no longer what is declared, or
    when the authority changed. It keeps its key, so that no moment exists in which the two do not fit.
  - What is older than O(renew_older_than) gets a new key as well; both are put in place together.
options:
  certificates:
    description: The certificates. V(name) is the name of C(name.crt) and C(name.key).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the files.
        type: str
        required: true
      common_name:
        description: Who the certificate is for.
        type: str
        required: true
      names:
        description: DNS names.
        type: list
        elements: str
        default: []
      addresses:
        description: IPv4 addresses.
        type: list
        elements: str
        default: []
      usages:
        description: What it is good for.
        type: list
        elements: str
        choices: [server, client]
        required: true
      owner:
        description: Owner of the key.
        type: str
        default: root
      group:
        description: Group of the key.
        type: str
        default: root
      key_mode:
        description: Mode of the key.
        type: str
        default: "0600"
  folder:
    description: Where they lie, with C(ca.crt) beside them.
    type: path
    required: true
  authority_certificate:
    description: The authority's certificate (PEM).
    type: str
    required: true
  authority_key:
    description: The authority's key (PEM). It is used on the controller and never sent anywhere.
    type: str
    required: true
  trusted_certificates:
    description: What goes into C(ca.crt) (PEM); without, the authority's certificate alone.
    type: str
  renew_older_than:
    description: Make anew what was made before this moment (ISO 8601), with its key.
    type: str
  valid_days:
    description: Days that a new certificate is valid.
    type: int
    required: true
  renew_before_days:
    description: Make it anew when fewer days than this are left.
    type: int
    required: true
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Make and renew certificates
  mirrorforce.estate.certificates:
    folder: /etc/mirrorforce/pki
    authority_certificate: "{{ pki_authority_certificate }}"
    authority_key: "{{ pki_authority_key }}"
    valid_days: 365
    renew_before_days: 90
    certificates:
      - {name: server, common_name: db.example.org, names: [db.example.org], usages: [server]}
"""

RETURN = r"""
renewed:
  description: Why each certificate was made anew.
  returned: always
  type: dict
"""

import grp
import os
import pwd
import tempfile

from ansible.module_utils.basic import AnsibleModule

FILE = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "key_mode": {"type": "str", "default": "0600", "no_log": False},
}

NEXT_KEY, NEXT_CERTIFICATE = "key.next", "crt.next"

PUBLIC = (0, 0, 0o644)
"""Owner, group and mode of what everybody may read."""


def attributes_of(path):
    status = os.stat(path)
    return status.st_uid, status.st_gid, status.st_mode & 0o7777


class Store:
    """The folder of keys and certificates."""

    def __init__(self, module):
        self.module = module
        self.folder = module.params["folder"]
        self.files = {entry["name"]: entry for entry in module.params["certificates"]}

    def path(self, name, kind):
        return os.path.join(self.folder, f"{name}.{kind}")

    def openssl(self, *words):
        code, out, err = self.module.run_command(["openssl", *words], umask=0o077)
        if code != 0:
            self.module.fail_json(msg=f"openssl {words[0]}: {(err or out).strip()}")
        return out

    def read(self, name, kind):
        try:
            with open(self.path(name, kind), encoding="ascii") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    def public_key(self, name):
        if not os.path.exists(self.path(name, "key")):
            return ""
        return self.openssl("pkey", "-in", self.path(name, "key"), "-pubout")

    def key_attributes(self, name):
        """(uid, gid, mode) that the key is to have; None for a user that does not exist (check mode)."""
        entry = self.files[name]
        try:
            return (
                pwd.getpwnam(entry["owner"]).pw_uid,
                grp.getgrnam(entry["group"]).gr_gid,
                int(entry["key_mode"], 8),
            )
        except KeyError:
            return None

    def write(self, name, kind, text, attributes=PUBLIC):
        handle, staged = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chown(staged, attributes[0], attributes[1])
        os.chmod(staged, attributes[2])
        os.replace(staged, self.path(name, kind))


def look(store, check_mode):
    """What is there; the authority's certificate and the keys' owners and modes are put right on the way."""
    changes = []
    authority = store.module.params["authority"]
    if store.read("ca", "crt") != authority:
        changes.append("the authority's certificate")
        if not check_mode:
            os.makedirs(store.folder, mode=0o755, exist_ok=True)
            store.write("ca", "crt", authority)
    for name in ("ca", *store.files):
        path = store.path(name, "crt")
        if os.path.exists(path) and attributes_of(path) != PUBLIC:
            changes.append(f"{name}: owner or mode of its certificate")
            if not check_mode:
                os.chown(path, PUBLIC[0], PUBLIC[1])
                os.chmod(path, PUBLIC[2])
    for name in store.files:
        key = store.path(name, "key")
        wanted = store.key_attributes(name)
        if not os.path.exists(key) or wanted is None:
            continue
        if attributes_of(key) != wanted:
            changes.append(f"{name}: owner or mode of its key")
            if not check_mode:
                os.chown(key, wanted[0], wanted[1])
                os.chmod(key, wanted[2])
    found = {
        name: {"certificate": store.read(name, "crt"), "public_key": store.public_key(name)}
        for name in store.files
    }
    return {"changes": changes, "found": found}


def request(store):
    """Signing requests, each with a key that is made here where there is none."""
    requests = {}
    new_keys = store.module.params.get("new_keys") or []
    for name in store.module.params["names"]:
        kind = NEXT_KEY if name in new_keys else "key"
        if kind == NEXT_KEY or not os.path.exists(store.path(name, kind)):
            attributes = store.key_attributes(name)
            if attributes is None:
                entry = store.files[name]
                store.module.fail_json(msg=f"no user {entry['owner']} or no group {entry['group']}")
            key = store.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
            store.write(name, kind, key, attributes)
        requests[name] = store.openssl("req", "-new", "-key", store.path(name, kind), "-subj", f"/CN={name}")
    return {"requests": requests}


def install(store):
    """Put signed certificates in their place."""
    new_keys = store.module.params.get("new_keys") or []
    for name, certificate in store.module.params["signed"].items():
        store.write(name, NEXT_CERTIFICATE, certificate)
        # Two renames, one after the other: who reads in between tries again. A run that ends in between
        # leaves a certificate of another key, which the next one makes anew.
        if name in new_keys:
            os.replace(store.path(name, NEXT_KEY), store.path(name, "key"))
        os.replace(store.path(name, NEXT_CERTIFICATE), store.path(name, "crt"))
    return {}


def main():
    """Run the phase that the action plugin asks for."""
    module = AnsibleModule(
        argument_spec={
            "phase": {"type": "str", "choices": ["look", "request", "install"], "required": True},
            "folder": {"type": "path", "required": True},
            "certificates": {"type": "list", "elements": "dict", "required": True, "options": FILE},
            "authority": {"type": "str"},
            "names": {"type": "list", "elements": "str"},
            "new_keys": {"type": "list", "elements": "str", "no_log": False},
            "signed": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    store = Store(module)
    phase = module.params["phase"]
    if phase == "look":
        answer = look(store, module.check_mode)
    else:
        answer = request(store) if phase == "request" else install(store)
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
