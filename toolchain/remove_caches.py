"""Remove the named caches: `python -m toolchain.remove_caches`. Refuses while a host lies over an image."""

from __future__ import annotations

import shutil
import sys

from mirrorforce.lab import image_uses
from mirrorforce.workspace import cache


def main() -> int:
    """Remove every cache, or none where one is in use. Exit codes as everywhere."""
    folder = cache()
    if any(image_uses.used(image) for image in image_uses.folder().glob("*")):
        print(f"error: {folder} is in use: hosts of a lab lie over its image", file=sys.stderr)
        print("  next: mirrorforce down ENV, for each environment that is up", file=sys.stderr)
        return 1
    if folder.is_dir():
        print(f"removing {folder}")
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
