"""Files and folders of a role, all in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: files
short_description: Files and folders of a role, all in one round trip
description:
  - Brings a list of files and folders to the declared state. Templates are rendered on the controller.
  - A file is written beside its place, checked by its I(validate) command, then moved into place, so that
    nobody ever reads half a file and a bad one never takes the place of a good one.
  - Every file is validated before the first is moved.
  - Check mode changes nothing and shows the same differences.
options:
  files:
    description: Entries, applied in order, with I(dest) and one of I(template), I(content), I(src), I(state).
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: The path on the host.
        type: path
        required: true
      template:
        description: A template of the role.
        type: str
      content:
        description: The text itself.
        type: str
      src:
        description: A file of the role or an absolute path on the controller; of a folder, its C(*.py) files.
        type: path
      state:
        description: V(directory) or V(absent).
        type: str
        choices: [directory, absent]
      owner:
        description: Owner. Root where not given.
        type: str
      group:
        description: Group. Root where not given.
        type: str
      mode:
        description: Mode as a string of octal digits. V(0644), for folders V(0755), where not given.
        type: str
      validate:
        description: A command that must accept the new file; C(%s) is its path.
        type: str
      secret:
        description: Never show the content of this file.
        type: bool
        default: false
  marker:
    description: A file that says what the host was last converged to; removed as soon as a file changes.
    type: path
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Install the files of the service
  mirrorforce.estate.files:
    files:
      - {state: directory, dest: /etc/service, mode: "0750", group: service}
      - {template: service.conf.j2, dest: /etc/service/service.conf, validate: "service --check %s"}
"""

RETURN = r"""
changed_files:
  description: The paths that changed, or would.
  returned: always
  type: list
  elements: str
"""

import grp
import os
import pwd
import shlex
import shutil
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule

MASK = "(secret: not shown)\n"
ENTRY = {
    "dest": {"type": "path", "required": True},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["directory", "absent"]},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "validate": {"type": "str"},
}


class RefusedError(Exception):
    """An entry that cannot be applied; the text says why."""


def wanted_attributes(entry):
    """(uid, gid, mode) of an entry. A user that does not exist yet is None: only check mode meets one."""
    default = "0755" if entry["state"] == "directory" else "0644"
    try:
        uid = pwd.getpwnam(entry["owner"] or "root").pw_uid
    except KeyError:
        uid = None
    try:
        gid = grp.getgrnam(entry["group"] or "root").gr_gid
    except KeyError:
        gid = None
    return uid, gid, int(entry["mode"] or default, 8)


def kind_of(path):
    """'file', 'directory', 'link', 'other' or 'absent'. A symbolic link is never followed."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return "absent"
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISLNK(mode):
        return "link"
    return "directory" if stat.S_ISDIR(mode) else "other"


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def attributes_of(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


class Change:
    """What has to happen for one entry."""

    def __init__(self, entry):
        self.entry = entry
        self.path = entry["dest"]
        self.secret = entry["secret_content"] is not None
        self.text = entry["secret_content"] if self.secret else entry["content"]
        self.wanted = "file" if self.text is not None else entry["state"]
        self.found = kind_of(self.path)
        # A file takes the place of a link, as /etc/resolv.conf often is one; of anything else it does not.
        in_place = {self.wanted, "absent"} | ({"link"} if self.wanted == "file" else set())
        if self.found not in in_place and self.wanted != "absent":
            raise RefusedError(f"{self.path} is a {self.found}, a {self.wanted} is declared: remove it first")
        self.attributes = wanted_attributes(entry) if self.wanted != "absent" else None
        self.before = text_of(self.path) if self.found == "file" else ""
        self.staged = None

    @property
    def content_differs(self):
        return self.wanted == "file" and (self.found != "file" or self.before != self.text)

    @property
    def attributes_differ(self):
        if self.wanted == "absent" or self.found == "absent":
            return False
        return attributes_of(self.path) != self.attributes

    @property
    def needed(self):
        return self.found != self.wanted or self.content_differs or self.attributes_differ

    def diff(self):
        """The difference as Ansible shows it; a secret's text never appears, that it differs does."""
        before, after = self.before, self.text or ""
        if self.secret:
            before, after = "", MASK if self.content_differs else ""
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": before
            + self._describe(self.found != "absent" and attributes_of(self.path), self.found),
            "after": after + self._describe(self.attributes, self.wanted),
        }

    def _describe(self, attributes, kind):
        if kind == self.wanted == "file" and not self.attributes_differ:
            return ""
        if not attributes:
            return f"({kind})\n"
        owner, group, mode = attributes
        return f"({kind}, owner {owner}, group {group}, mode {mode:04o})\n"

    def stage(self, module):
        """Write the new content beside its place and let its validator see it."""
        if not self.content_differs:
            return
        folder = os.path.dirname(self.path)
        os.makedirs(folder, exist_ok=True)
        handle, self.staged = tempfile.mkstemp(prefix=f".{os.path.basename(self.path)}.", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(self.text)
            stream.flush()
            os.fsync(stream.fileno())
        self._own(self.staged)
        if self.entry["validate"]:
            command = shlex.split(self.entry["validate"].replace("%s", shlex.quote(self.staged)))
            code, out, err = module.run_command(command)
            if code != 0:
                raise RefusedError(
                    f"{self.path} is refused by '{self.entry['validate']}': {(err or out).strip()}"
                )

    def apply(self):
        if self.wanted == "absent":
            remove(self.path, self.found)
        elif self.staged:
            os.replace(self.staged, self.path)
            self.staged = None
        else:
            if self.wanted == "directory":
                os.makedirs(self.path, exist_ok=True)
            self._own(self.path)

    def _own(self, path):
        uid, gid, mode = self.attributes
        if uid is None or gid is None:
            raise RefusedError(
                f"{self.path}: no user {self.entry['owner']} or no group {self.entry['group']}"
            )
        os.chown(path, uid, gid)
        os.chmod(path, mode)

    def discard(self):
        if self.staged and os.path.exists(self.staged):
            os.unlink(self.staged)


def remove(path, kind):
    if kind == "directory":
        shutil.rmtree(path)
    else:
        os.unlink(path)


def apply_all(module, changes, marker):
    """Stage and validate everything, then move everything: a refused file leaves all as it was."""
    folders = [change for change in changes if change.wanted == "directory"]
    others = [change for change in changes if change.wanted != "directory"]
    for change in folders:
        change.apply()
    for change in others:
        change.stage(module)
    if marker and os.path.exists(marker):
        os.unlink(marker)
    for change in others:
        change.apply()


def main():
    """Bring every entry to its declared state."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": ENTRY},
            "marker": {"type": "path"},
        },
        supports_check_mode=True,
    )
    changes = []
    try:
        changes = [Change(entry) for entry in module.params["files"]]
        needed = [change for change in changes if change.needed]
        diff = [change.diff() for change in needed]
        if needed and not module.check_mode:
            apply_all(module, needed, module.params["marker"])
    except (RefusedError, OSError) as fault:
        module.fail_json(msg=str(fault))
    finally:
        for change in changes:
            change.discard()
    module.exit_json(changed=bool(needed), changed_files=[change.path for change in needed], diff=diff)


if __name__ == "__main__":
    main()
