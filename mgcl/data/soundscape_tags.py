"""Generated clips of one to three sounds each, with all their classes: a set for tagging."""

from pathlib import Path

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.data.soundscapes.sets import Kind, dataset, generator_of, read_truth

KIND = Kind("soundscape_tags", clips=240, sounds=(1, 3))


def read(root: Path) -> Dataset:
    """List the generated clips.

    Raises:
        DataError: the set is missing, or a table is wrong; names the file and line.
    """
    truth = read_truth(root, KIND)
    labels = {path: tuple(sorted({each.label for each in events})) for path, events in truth.items()}
    return dataset(root, KIND, (AudioFile(path.stem, path, labels=each) for path, each in labels.items()))


generate = generator_of(KIND, read)
