"""Sections of the page of benchmarks that commands of their own write; ``make bench`` keeps them."""

import platform
import re
import time
from pathlib import Path

from mgcl.sweep.provenance import source_revision

_SECTION = re.compile(r"<!-- section (?P<name>[\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)


def put(page: Path, name: str, command: str, text: str) -> None:
    """Write a section with its command, date, commit and machine; it replaces the section of the same name."""
    revision = source_revision()
    dirty = " with changes" if revision.get("dirty") == "True" else ""
    made = (
        f"`{command}` wrote this section on {time.strftime('%Y-%m-%d')}, at commit {revision['commit'][:10]}{dirty}: "
        f"{platform.system()}, Python {platform.python_version()}."
    )
    heading, _, rest = text.partition("\n")
    section = f"<!-- section {name} -->\n{heading}\n\n{made}\n{rest.rstrip()}\n<!-- end -->\n"
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    others = [each[0] for each in _SECTION.finditer(before) if each["name"] != name]
    page.write_text("\n".join([_SECTION.sub("", before).rstrip() + "\n", *others, section]), encoding="utf-8")


def kept(page: Path) -> str:
    """All sections of a page that ``put`` wrote."""
    found = _SECTION.finditer(page.read_text(encoding="utf-8")) if page.exists() else ()
    return "\n".join(each[0] for each in found)
