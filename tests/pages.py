"""What the pages for users hold: commands, Python, links. Tests parse all of it, and run what is cheap."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "reports" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "mgcl").rglob("MODEL_CARD.md")),
]
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAMS = ("mgcl", "python", "make", "pip", "ray")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [text for kind, text in _FENCED.findall(page.read_text(encoding="utf-8")) if kind == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks and comments."""
    return re.sub(r"<!--.*?-->", "", _FENCED.sub("", page.read_text(encoding="utf-8")), flags=re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The words of each command of the ``bash`` blocks; what is joined by ``&&`` or ``|`` is several."""
    lines = [line for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    return [command for line in lines for command in words(line)]


def words(line: str) -> list[list[str]]:
    """One line of shell as commands, without comments and without variables that are set for it."""
    parser = shlex.shlex(line, posix=True, punctuation_chars="&|")
    parser.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in parser:
        if word in ("&&", "|"):
            found.append([])
        elif found[-1] or not re.match(r"[A-Z_]+=", word):
            found[-1].append(word)
    return [each for each in found if each]


def inline_commands(page: Path) -> list[str]:
    """Commands between backticks in prose, with one argument or more."""
    spans = re.findall(r"`([^`\n]+)`", prose(page).replace("\\|", "|"))
    return [span for span in spans if span.split()[0] in _PROGRAMS and len(span.split()) > 1]


def links(page: Path) -> list[str]:
    """Targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
