"""Data sets by the name that a command is given: a module of this package, or one of the Hugging Face hub."""

from pathlib import Path

from mgcl.catalogue import load
from mgcl.data._streamed.opening import MANIFEST, PARQUET, TAR
from mgcl.data.dataset import DatasetModule
from mgcl.errors import DataError


def opened(name: str, root: Path | None) -> tuple[DatasetModule, Path]:
    """Module of a data set, and the folder where it lies.

    Args:
        name: name of a module, or ``hub:OWNER/NAME@COMMIT``, whose default folder is in ``MGCL_HOME``.
        root: folder of the data set; None: the default.

    Raises:
        MgclError: there is no such data set, it has no default folder, or it is one that is streamed.
    """
    if name.startswith((MANIFEST, TAR, PARQUET)):
        raise DataError(f"{name}: is streamed, which `mgcl extract` alone does; name a folder or csv as the set folder")
    if name.startswith("hub:"):
        from mgcl.data._hub import HubDataset

        found = HubDataset.named(name)
        return found, root or found.root
    module = load("dataset", name)
    if root is None:
        raise DataError(f"{name} needs `root`, the folder where it lies")
    return module, root
