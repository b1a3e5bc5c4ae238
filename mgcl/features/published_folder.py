"""Import of published audio-visual features as a bank.

Clips stream from one class's files at a time into a draft on the disk, so that memory does not grow with the data set.
"""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank
from mgcl.features.columns import Numbers, Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.published_layout import DRAWS, classes_of, folders, read_class, read_parts, shot_folder, word_vectors
from mgcl.features.writer import write_bank
from mgcl.language.words import letters

BACKBONE = "vggish-8bit + c3d"
"""Backbones of the published features: VGGish with 8-bit post-processing (0..255), and C3D."""

STEPS = {"audio": 0.96, "video": 16 / 25}
"""Seconds per token, as the published code takes them for every clip; the files' ``fps`` is not read by it either."""


@dataclass
class _Drafts:
    """Tokens of one modality, written one clip after another."""

    stream: IO[bytes]
    number: type[np.float32 | np.float16]
    size: int = 0
    lengths: list[int] = field(default_factory=list)

    def add(self, tokens: NDArray[Any] | None, what: str) -> None:
        """Add a clip's tokens of shape (tokens, size); None: the clip has none."""
        if tokens is None:
            self.lengths.append(0)
            return
        if tokens.ndim != 2 or tokens.dtype.kind not in "fiu" or self.size not in (0, tokens.shape[1]):
            raise BankError(
                f"{what}: shape {tokens.shape} of {tokens.dtype}, where numbers of shape (tokens, "
                f"{self.size or 'dimension'}) are needed; leave the clip out, or copy the file again"
            )
        self.size = tokens.shape[1]
        with np.errstate(over="ignore"):  # infinity is refused when the bank is checked
            self.stream.write(np.ascontiguousarray(tokens, self.number).data)
        self.lengths.append(len(tokens))

    def tokens(self) -> Ragged:
        """All tokens, mapped from the disk."""
        self.stream.flush()
        values: Numbers = np.memmap(self.stream.name, self.number, mode="r").reshape(-1, self.size)
        return Ragged(values, np.cumsum([0, *self.lengths]))


def import_published(
    folder: Path,
    out: Path,
    *,
    shot: int | None = None,
    draw: int | None = None,
    dataset: str = "",
    half: bool = False,
    words: Path | None = None,
    licence: str = "",
) -> FeatureBank:
    """Make a bank from the folder of published features.

    Train clips of a novel-test class are the shots of all three published draws, and its test clips those that no draw
    trains on; or, with ``draw``, the shots and test clips of that draw.

    Args:
        folder: folder with ``features`` and ``class-split``.
        out: folder of the bank; must not exist.
        shot: K of the folders ``K-shot``; None: the only one that there is.
        draw: 0, 1 or 2; None: all draws.
        dataset: name of the data set (default: that of the folder).
        half: whether visual features are stored as float16.
        words: file of word vectors, for ``mgcl.language.words.read_words``; None: the folder's own.
        licence: licence of the data set.

    Raises:
        BankError: the folder ``out`` exists, or a file is missing, refused or wrong; names it.
    """
    if out.exists():
        raise BankError(f"{out}: exists already; name another folder, or remove it first")
    if draw is not None and draw not in range(len(DRAWS)):
        raise BankError(f"`draw` {draw}: the published draws are 0 to {len(DRAWS) - 1}")
    shots = shot_folder(folder, shot)
    parts = read_parts(folder / "class-split" / shots)
    features = folder / "features" / shots
    classes = sorted(parts)
    vectors = word_vectors(folder, features / "text", classes, words)
    out.parent.mkdir(parents=True, exist_ok=True)
    clips: dict[str, list[str]] = {"clip_id": [], "label": [], "split": []}
    with (
        tempfile.TemporaryDirectory(prefix=f".{out.name}-tokens-", dir=out.parent) as drafts,
        (Path(drafts) / "audio").open("wb") as audio,
        (Path(drafts) / "video").open("wb") as video,
    ):
        tokens = {
            "audio": _Drafts(audio, np.float32),
            "video": _Drafts(video, np.float16 if half else np.float32),
        }
        _stream(features, parts, draw, clips, tokens)
        for name, each in tokens.items():
            if not any(each.lengths):
                raise BankError(f"{features / name}: no features of any clip; copy the folder again")
        header = Header(
            dataset or folder.absolute().name,
            f"{shots}, {'draws 0 to 2' if draw is None else f'draw {draw}'}",
            licence,
            BACKBONE,
            tokens={name: Tokens(STEPS[name], gaps=0 in each.lengths) for name, each in tokens.items()},
        )
        return write_bank(
            out,
            header,
            {**clips, **{name: each.tokens() for name, each in tokens.items()}},
            {"label": classes, "word_vector": vectors, "part": [parts[label] for label in classes]},
        )


def _stream(
    features: Path,
    parts: dict[str, str],
    draw: int | None,
    clips: dict[str, list[str]],
    tokens: dict[str, _Drafts],
) -> None:
    """Write the tokens of all clips, and list the clips."""
    seen: dict[str, Path] = {}
    for split, allowed, place, repeated in tqdm(list(folders(draw)), desc="folders", disable=None, delay=1):
        for label, name in classes_of(features, place, parts, allowed):
            file = features / "video" / place / name
            of_class = {each: read_class(features / each / place / name) for each in tokens}
            for clip_id in dict.fromkeys(clip for each in of_class.values() for clip in each):
                if clip_id in seen:
                    if repeated and letters(seen[clip_id].stem) == letters(file.stem):
                        continue
                    raise BankError(f"{file}: {clip_id!r} is also in {seen[clip_id]}; a clip has one class and split")
                seen[clip_id] = file
                for key, value in (("clip_id", clip_id), ("label", label), ("split", split)):
                    clips[key].append(value)
                for each, drafts in tokens.items():
                    drafts.add(of_class[each].get(clip_id), f"{features / each / place / name}: {clip_id!r}")
