"""Look-up by file name: ``load("method", "zero_shot")`` is the module ``zero_shot`` in a folder of ``mgcl.methods``.

A new task, method, data set, backbone or captioner is one new file in its package, without registration. Files whose
name begins with _ are parts of others. The file of the kind's own name (``data/dataset.py``) is shared by all of the
kind.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from mgcl.errors import MgclError, among

_ROOMS = {
    "task": "mgcl.tasks",
    "method": "mgcl.methods",
    "dataset": "mgcl.data",
    "backbone": "mgcl.backbones",
    "visual_backbone": "mgcl.backbones.visual",
    "captioner": "mgcl.captioners",
}


def names(kind: str, folder: str = "") -> tuple[str, ...]:
    """Names of all modules of one kind, sorted; none of them is imported.

    Args:
        kind: "task", "method", "dataset", "backbone" or "captioner".
        folder: of methods, the sub-package that they are in; empty: any.

    >>> names("captioner")
    ('file', 'msclap', 'tags', 'transformers')
    >>> names("dataset")
    ('audiocaps', 'audiogrounding', 'audioset', 'audioset_strong', 'clotho', 'desed', 'esc10', ..., 'videos')
    """
    return tuple(sorted(_in(kind, folder)))


@cache
def load(kind: str, name: str, folder: str = "") -> ModuleType:
    """Import the module of a name; ``folder`` as for ``names``.

    Raises:
        MgclError: the kind has no such name; the message lists the names that it has.
    """
    files = _in(kind, folder)
    if name not in files:
        raise MgclError(f"no {kind.replace('_', ' ')} is called {name!r}; {among(name, sorted(files))}")
    return importlib.import_module(files[name])


def _in(kind: str, folder: str) -> dict[str, str]:
    return {name: module for name, module in _files(kind).items() if folder in ("", module.split(".")[-2])}


@cache
def _files(kind: str) -> dict[str, str]:
    """Name -> module. Methods are in sub-packages, one per kind of task."""
    rooms = [_ROOMS[kind]]
    if kind == "method":
        rooms = [f"{_ROOMS[kind]}.{each.name}" for each in _modules(_ROOMS[kind]) if each.ispkg]
    return {
        module.name: f"{room}.{module.name}"
        for room in rooms
        for module in _modules(room)
        if not module.name.startswith("_") and module.name != kind and f"{room}.{module.name}" not in _ROOMS.values()
    }


def _modules(room: str) -> Iterator[pkgutil.ModuleInfo]:
    """Of a package, which is not imported."""
    return pkgutil.iter_modules([str(Path(__file__).parent.joinpath(*room.split(".")[1:]))])
