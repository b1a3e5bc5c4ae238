"""Generated clips of one to four sounds each, with their onsets and offsets: a set for sound event detection."""

from pathlib import Path

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.data.soundscapes.sets import Kind, dataset, generator_of, read_truth

KIND = Kind("soundscape_events", clips=240, sounds=(1, 4), repeats=True)


def read(root: Path) -> Dataset:
    """List the generated clips.

    Raises:
        DataError: the set is missing, or a table is wrong; names the file and line.
    """
    truth = read_truth(root, KIND)
    return dataset(root, KIND, (AudioFile(path.stem, path, events=events) for path, events in truth.items()))


generate = generator_of(KIND, read)
