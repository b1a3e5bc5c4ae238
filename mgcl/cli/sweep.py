"""``mgcl sweep``: run a sweep that comes with mgcl, or a sweep file of the user's."""

import argparse
import ast
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import mgcl
from mgcl.cli.commands import Commands
from mgcl.errors import SweepError, among


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    sweep = commands.add_parser(
        "sweep",
        help="run a sweep or a search, with a report; without a name: list them",
        description="Run a sweep or a search. `mgcl sweep NAME --help` shows its flags.",
    )
    sweep.add_argument("name", nargs="?", metavar="NAME", help="of a sweep, or the path of a file of your own")
    sweep.add_argument("flags", nargs=argparse.REMAINDER, metavar="...", help="of the sweep")
    sweep.set_defaults(job=_sweep)


def _sweep(flags: argparse.Namespace) -> int:
    if flags.name is None:
        width = max(map(len, sweeps())) + 2
        for name, file in sweeps().items():
            print(f"{name:{width}}{_about(file)}")
        return 0
    _run(_file(flags.name), [f"mgcl sweep {flags.name}", *flags.flags])
    return 0


def sweeps() -> dict[str, Path]:
    """Name -> file of the sweeps that come with mgcl, which lie in the installed package, or beside it in a clone."""
    package = Path(mgcl.__file__).parent
    folder = next(each for each in (package / "sweeps", package.parent / "sweeps") if each.is_dir())
    return {file.stem: file for file in sorted(folder.glob("*.py"))}


def _run(file: Path, words: list[str]) -> None:
    """Run a sweep file like ``python FILE``.

    ``sys.argv`` keeps the typed words, so that messages show them; ``runpy`` would replace the first of them.
    """
    sys.argv = words
    sys.path.insert(0, str(file.parent))
    loader = SourceFileLoader("__main__", str(file))
    module = ModuleType("__main__")
    module.__file__ = str(file)
    sys.modules["__main__"] = module
    loader.exec_module(module)


def _file(name: str) -> Path:
    known = sweeps()
    if name in known:
        return known[name]
    file = Path(name).absolute()
    if file.suffix == ".py" and file.is_file():
        return file
    raise SweepError(f"{name}: no such sweep, and no file of that name; {among(name, known)}")


def _about(file: Path) -> str:
    """First line of the module docstring in a file; empty if it has none."""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]
