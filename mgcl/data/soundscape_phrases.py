"""Generated clips of two to four sounds each, one query per class and clip: a set for the grounding of phrases."""

from dataclasses import replace
from pathlib import Path

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.data.soundscapes.sets import Kind, dataset, generator_of, read_truth

KIND = Kind("soundscape_phrases", clips=120, sounds=(2, 4), repeats=True)


def read(root: Path) -> Dataset:
    """List a query per clip and class that sounds in it, in the layout of AudioGrounding: queries share their clip.

    Raises:
        DataError: the set is missing, or a table is wrong; names the file and line.
    """
    queries = (
        AudioFile(
            f"{path.stem}_{place}",
            path,
            phrase,
            source=path.stem,
            events=tuple(each for each in events if each.label == phrase),
        )
        for path, events in read_truth(root, KIND).items()
        for place, phrase in enumerate(sorted({each.label for each in events}))
    )
    return replace(dataset(root, KIND, queries), prompt="{}")


generate = generator_of(KIND, read)
