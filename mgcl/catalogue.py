"""Name = file: ``load("method", "zero_shot")`` is the module ``zero_shot`` of one of the folders of ``mgcl.methods``.

A new task, method, data set or backbone is one new file in its room; nothing registers it. Files that begin with _ are
parts of others; the file of the kind's own name (``data/dataset.py``) is what all of the kind share.
"""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from mgcl.errors import MgclError

_ROOMS = {
    "task": "mgcl.tasks",
    "method": "mgcl.methods",
    "dataset": "mgcl.data",
    "backbone": "mgcl.backbones",
    "captioner": "mgcl.captioners",
}


def names(kind: str) -> tuple[str, ...]:
    """The names of everything of one kind, sorted; imports none of them.

    >>> names("captioner")
    ('file', 'msclap', 'transformers')
    >>> names("dataset")
    ('esc10', 'esc50', 'folder', 'fsdkaggle18', 'soundscapes')
    """
    return tuple(sorted(_files(kind)))


def load(kind: str, name: str) -> ModuleType:
    """The module behind a name.

    Raises:
        MgclError: there is no such name; lists those there are.
    """
    files = _files(kind)
    if name not in files:
        raise MgclError(f"no {kind} is called {name!r}; there are: {', '.join(sorted(files))}")
    return importlib.import_module(files[name])


@cache
def _files(kind: str) -> dict[str, str]:
    """Name -> module. Methods stand in folders, one for each kind of task that they are for."""
    room = importlib.import_module(_ROOMS[kind])
    rooms = [room]
    if kind == "method":
        folders = [each.name for each in pkgutil.iter_modules(room.__path__) if each.ispkg]
        rooms = [importlib.import_module(f"{_ROOMS[kind]}.{each}") for each in folders]
    return {
        module.name: f"{room.__name__}.{module.name}"
        for room in rooms
        for module in pkgutil.iter_modules(room.__path__)
        if not module.name.startswith("_") and module.name != kind
    }
