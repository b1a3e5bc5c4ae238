"""What every data set is, once it lies in a folder: labelled files, and where they come from.

A data set is one module: ``read(root)`` gives its ``Dataset``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class AudioFile:
    """One labelled clip on disk."""

    clip_id: str
    path: Path
    label: str
    fold: int | None = None
    """The data set's own clip fold; informative."""
    source: str | None = None
    """The recording it was cut from; None: not known."""


@dataclass(frozen=True)
class Dataset:
    """Labelled clips under one name."""

    name: str
    """Decides the folds, the episodes, and which written explanations are used."""
    revision: str
    licence: str
    files: tuple[AudioFile, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Its labels, sorted."""
        return tuple(sorted({file.label for file in self.files}))


class DatasetModule(Protocol):
    """The protocol."""

    def read(self, root: Path) -> Dataset:
        """List what lies in a folder.

        Raises:
            DataError: a file is missing or wrong; names it.
        """
        ...
