"""Name = file: ``load("method", "zero_shot")`` is the module ``mgcl.methods.zero_shot``.

A new method, data set or backbone is one new file in its room; nothing registers it.
"""

import importlib
import pkgutil
from types import ModuleType

from mgcl.errors import MgclError

_ROOMS = {
    "method": "mgcl.methods",
    "dataset": "mgcl.data",
    "backbone": "mgcl.backbones",
    "captioner": "mgcl.captioners",
}
_SHARED = {
    "method": {"method", "cache", "cached_zero_shot", "contrast", "training"},
    "dataset": {"audio", "check", "dataset", "download", "episodes", "seeding", "splits"},
    "backbone": {"backbone", "cnn14", "grained", "htsat", "log_mel", "probe", "sentences", "towers", "weights"},
    "captioner": {"captioner"},
}


def names(kind: str) -> tuple[str, ...]:
    """The names of everything of one kind, sorted; imports none of them.

    >>> names("method")
    ('matching', 'mel_statistics', 'mgcl', 'prototypical', 'tip_adapter', 'treff_adapter', 'zero_shot')
    >>> names("dataset")
    ('esc10', 'esc50', 'folder', 'fsdkaggle18', 'soundscapes')
    """
    room = importlib.import_module(_ROOMS[kind])
    files = {module.name for module in pkgutil.iter_modules(room.__path__)}
    return tuple(sorted(files - _SHARED[kind]))


def load(kind: str, name: str) -> ModuleType:
    """The module behind a name.

    Raises:
        MgclError: there is no such name; lists those there are.
    """
    if name not in names(kind):
        raise MgclError(f"no {kind} is called {name!r}; there are: {', '.join(names(kind))}")
    return importlib.import_module(f"{_ROOMS[kind]}.{name}")
