"""DESED's public evaluation clips (Turpault et al. 2019, Zenodo record 4560759): 692 of ten seconds, 10 classes."""

from pathlib import Path

from mgcl.data._annotations import classes_of, read_events
from mgcl.data._download import Archive
from mgcl.data.dataset import AudioFile, Dataset, Window, complete

LICENCE = "each clip has its own (licence file of the archive); N. Turpault, R. Serizel, zenodo.org/records/4560759"
ARCHIVES = (
    Archive(
        url="https://zenodo.org/records/4560759/files/DESED_public_eval.tar.gz",
        checksums="https://zenodo.org/api/records/4560759",
        contents=("audio", "metadata"),
    ),
)
_LAYOUT = (
    "metadata/eval/public.tsv and audio/eval/public/ lie in one folder, as `mgcl data fetch desed` makes it from "
    "DESED_public_eval.tar.gz"
)


def read(root: Path) -> Dataset:
    """List the clips with their events, under MGA-CLAP's protocol: shorter clips are repeated.

    Raises:
        DataError: the table is missing or wrong.
        MissingFilesError: a clip that it names is missing.
    """
    found = read_events(root / "metadata" / "eval" / "public.tsv", missing=_LAYOUT)
    files = (
        AudioFile(
            Path(name).stem,
            root / "audio" / "eval" / "public" / name,
            source=Path(name).stem,
            verified=True,
            split="test",
            labels=classes_of(events),
            events=events,
        )
        for name, events in found.items()
    )
    return Dataset(
        "desed",
        "Zenodo 4560759, public evaluation",
        "a licence a clip",
        complete(files, table="metadata/eval/public.tsv"),
        window=Window(10.0, short="repeat", long="first"),
        prompt="{}",
    )
