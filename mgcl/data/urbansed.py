"""URBAN-SED 2.0's test soundscapes (Salamon et al. 2017, Zenodo record 1324404): 2,000 of ten seconds, 10 classes."""

from pathlib import Path

from mgcl.data._annotations import classes_of, event
from mgcl.data._download import Archive
from mgcl.data.dataset import AudioFile, Dataset, Window, complete, read_table
from mgcl.errors import DataError
from mgcl.events import Event

LICENCE = "CC BY 4.0; J. Salamon, D. MacConnell, M. Cartwright, P. Li, J. P. Bello, zenodo.org/records/1324404"
ARCHIVES = (
    Archive(
        url="https://zenodo.org/records/1324404/files/URBAN-SED_v2.0.0.tar.gz",
        checksums="https://zenodo.org/api/records/1324404",
        top="URBAN-SED_v2.0.0",
        contents=("audio", "annotations"),
    ),
)
_LAYOUT = (
    "annotations/test/ and audio/test/ lie in one folder, as `mgcl data fetch urbansed` makes it from "
    "URBAN-SED_v2.0.0.tar.gz"
)


def read(root: Path) -> Dataset:
    """List the test soundscapes with their events, one table per soundscape, under MGA-CLAP's protocol.

    Raises:
        DataError: there are no tables, or one is wrong.
        MissingFilesError: a soundscape that has a table is missing.
    """
    tables = sorted((root / "annotations" / "test").glob("*.txt"))
    if not tables:
        raise DataError(f"{root / 'annotations' / 'test'}: no .txt files; {_LAYOUT}")
    files = []
    for table in tables:
        events = _events(table)
        path = root / "audio" / "test" / f"{table.stem}.wav"
        files.append(AudioFile(table.stem, path, split="test", labels=classes_of(events), events=events))
    return Dataset(
        "urbansed",
        "2.0.0, Zenodo 1324404, test",
        "CC BY 4.0",
        complete(files, table="annotations/test"),
        window=Window(10.0, short="repeat", long="first"),
        prompt="{}",
    )


def _events(file: Path) -> tuple[Event, ...]:
    """Read the simplified annotation of a soundscape, which has no header; an empty file has no events."""
    if not file.stat().st_size:
        return ()
    table = read_table(file, ("onset", "offset", "label"), missing="", headless="\t")
    rows = table.itertuples(name=None)
    return tuple(
        sorted(event(onset, offset, label.strip(), where=f"{file}, line {line}") for line, onset, offset, label in rows)
    )
