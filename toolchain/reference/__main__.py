"""Writes the generated pages of docs/reference: `make reference`."""

from toolchain.reference.pages import PAGES

for path, text in PAGES.items():
    path.write_text(text(), encoding="utf-8")
