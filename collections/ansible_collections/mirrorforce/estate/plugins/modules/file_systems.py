"""File systems on volumes of their own: made where a volume is blank, grown where it has become larger."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: file_systems
short_description: File systems on volumes of their own
description:
  - Makes an ext4 file system on each volume that is blank, and grows one whose volume has become larger.
  - A volume that holds anything else is never touched. The module fails and says what it found.
  - Nothing is mounted here. A file system is grown whether it is mounted or not.
options:
  volumes:
    description: The volumes.
    type: list
    elements: dict
    required: true
    suboptions:
      device:
        description: The block device, by a name that lasts, such as one below V(/dev/disk/by-id).
        type: path
        required: true
      name:
        description: The label of a new file system.
        type: str
        required: true
      mount:
        description:
          - Where it is to be mounted. Nothing may lie there while it is not, as nobody would see it again.
        type: path
        required: true
  sizes_mib:
    description: The least size of volumes in MiB, by their names.
    type: dict
    default: {}
  wait_seconds:
    description: For how long a device is waited for that was just attached, or just made larger.
    type: int
    default: 120
author:
  - Mirrorforce (@mirrorforce)
"""

EXAMPLES = r"""
- name: Have a file system on the data volume
  mirrorforce.estate.file_systems:
    volumes:
      - name: data
        device: /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123
        mount: /srv/postgres/data
"""

RETURN = r"""
actions:
  description: What was done, or would be.
  returned: always
  type: list
  elements: str
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

KIND = "ext4"
NOTHING_FOUND = 2
"""Exit status of `blkid --probe` for a device without any signature it knows."""
MIB = 1 << 20
BLANK_BYTES = MIB
"""A blank volume begins with so many zeros; else something lies there that blkid does not know."""
MENDED = 1
"""Exit status of e2fsck, up to which the file system is sound."""
VOLUME = {
    "device": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "mount": {"type": "path", "required": True},
}


class UnfitError(Exception):
    """A volume that must not be touched; the text says why."""


def properties(text):
    """The lines KEY=VALUE of `blkid --output export` as a dict."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def has_file_system(device, code, text, *, blank):
    """Whether the volume has our file system already; UnfitError where it has anything but that, or nothing.

    `code` and `text` are what `blkid --probe` answered, `blank` is whether the volume's beginning is zeros.
    """
    if code == 0:
        found = properties(text)
        if found.get("TYPE") == KIND:
            return True
        what = found.get("TYPE") or found.get("PTTYPE") or "something"
        raise UnfitError(f"{device} holds {what}, not {KIND}: it is left as it is")
    if code != NOTHING_FOUND:
        raise UnfitError(f"blkid cannot tell what {device} holds (exit status {code}): it is left as it is")
    if not blank:
        raise UnfitError(f"{device} is not blank, but blkid knows nothing on it: it is left as it is")
    return False


def size_of(shown):
    """The size of a file system in bytes, from what `dumpe2fs -h` shows."""
    lines = (line.partition(":") for line in shown.splitlines())
    found = {key.strip(): value.strip() for key, _, value in lines}
    return int(found["Block count"]) * int(found["Block size"])


def has_grown(device_bytes, file_system_bytes):
    """Whether the volume has room that its file system does not use: a whole MiB at least."""
    return device_bytes - file_system_bytes >= MIB


def in_the_way(mount):
    """What lies at a mount point where nothing is mounted, up to three names."""
    if os.path.ismount(mount) or not os.path.isdir(mount):
        return []
    return sorted(os.listdir(mount))[:3]


def is_blank(device):
    """Whether the volume begins with zeros."""
    with open(device, "rb") as volume:
        return not any(volume.read(BLANK_BYTES))


class Volume:
    """One volume, through the commands that look at it and change it."""

    def __init__(self, module, declared):
        self.module = module
        self.device = declared["device"]
        self.name = declared["name"]
        self.mount = declared["mount"]

    def run(self, *command, worst=0):
        """The output of a command; the module fails where the command does."""
        code, out, err = self.module.run_command(list(command))
        if code > worst:
            self.module.fail_json(msg=f"{' '.join(command)}: {(err or out).strip()}")
        return out

    def is_there(self):
        """Whether the host sees the device."""
        return os.path.exists(self.device)

    def size(self):
        """The size of the device in bytes."""
        return int(self.run("blockdev", "--getsize64", self.device))

    def actions(self):
        """What has to be done, in words."""
        if hidden := in_the_way(self.mount):
            raise UnfitError(
                f"{self.mount} is not mounted and not empty ({', '.join(hidden)}): nothing is to hide it"
            )
        code, out, _ = self.module.run_command(["blkid", "--probe", "--output", "export", self.device])
        if not has_file_system(self.device, code, out, blank=code == NOTHING_FOUND and is_blank(self.device)):
            return ["make"]
        shown = self.run("dumpe2fs", "-h", self.device)
        return ["grow"] if has_grown(self.size(), size_of(shown)) else []

    def carry_out(self, action):
        """Make the file system, or grow it to its volume."""
        if action == "make":
            self.run("mkfs.ext4", "-q", "-m", "0", "-L", self.name, self.device)
            return
        if self.module.run_command(["findmnt", "--source", os.path.realpath(self.device)])[0] != 0:
            self.run("e2fsck", "-f", "-p", self.device, worst=MENDED)
        self.run("resize2fs", self.device)


def wait_until(holds, seconds):
    """Wait until something holds; False where it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(1)
    return True


def main():
    """Bring every volume to its declared state."""
    module = AnsibleModule(
        argument_spec={
            "volumes": {"type": "list", "elements": "dict", "required": True, "options": VOLUME},
            "sizes_mib": {"type": "dict", "default": {}},
            "wait_seconds": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    said = []
    patience = 0 if module.check_mode else module.params["wait_seconds"]
    for declared in module.params["volumes"]:
        volume = Volume(module, declared)
        if not wait_until(volume.is_there, patience):
            module.fail_json(msg=f"there is no {volume.device}: is the volume attached?")
        least_mib = int(module.params["sizes_mib"].get(volume.name, 0))
        if not wait_until(lambda: volume.size() >= least_mib * MIB, patience):  # noqa: B023 - called here
            have = volume.size() // MIB
            module.fail_json(
                msg=f"{volume.device} has {have} MiB, {least_mib} are declared: was it made larger?"
            )
        try:
            actions = volume.actions()
        except UnfitError as unfit:
            module.fail_json(msg=str(unfit))
        for action in actions:
            if not module.check_mode:
                volume.carry_out(action)
            said.append(f"{action} {KIND} on {volume.device}")
    diff = {"before": "", "after": "".join(f"{line}\n" for line in said)}
    module.exit_json(changed=bool(said), actions=said, diff=diff if said else {})


if __name__ == "__main__":
    main()
