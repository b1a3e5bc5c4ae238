"""Import of published audio-visual features: the folder that comes with AV-DIFF (Mercea et al., 2023), as a bank.

    DIR/class-split/K-shot/stage_1_base_train.txt ...                names of the classes of a part, one a line
    DIR/features/K-shot/{audio,video}/SPLIT/CLASS.pkl                features and video_names of a class's clips
    DIR/features/K-shot/text/word_embeddings_*.npy                   word vectors, by name
    DIR/**/*_w2v_class_names.csv                                     original name of a class -> name of its word vector

Clips stream from one class's files at a time into a draft on the disk, so that memory does not grow with the data set.
"""

import tempfile
from collections.abc import Iterator, Sequence
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
from mgcl.features.material import read_csv
from mgcl.features.pickles import read_object_array, read_pickle
from mgcl.features.writer import write_bank
from mgcl.language.words import Vectors, letters, match_words, read_words

BACKBONE = "vggish-8bit + c3d"
"""Backbones of the published features: VGGish with 8-bit post-processing (0..255), and C3D."""
DRAWS = ("", "_1", "_2")
"""Endings of the folders of the three published draws of novel shots."""

STEPS = {"audio": 0.96, "video": 16 / 25}
"""Seconds per token, as the published code takes them for every clip; the files' ``fps`` is not read by it either."""

_PARTS = {
    "base": "stage_1_base_train",
    "novel-validation": "stage_1_novel_train",
    "novel-test": "stage_2_novel_train",
}
"""Part -> name of the list of its classes."""
_SPLITS = {
    "stage_1_train_base": ("train", ("base",)),
    "stage_1_train_novel": ("train", ("novel-validation",)),
    "stage_1_val_seen": ("validation", ("base",)),
    "stage_1_val_novel": ("validation", ("novel-validation",)),
    "stage_2_test_seen": ("test", ("base", "novel-validation")),
}
"""Folder -> split of its clips, and the parts that its classes may have."""


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
    shots = _shot_folder(folder, shot)
    parts = _read_parts(folder / "class-split" / shots)
    features = folder / "features" / shots
    classes = sorted(parts)
    vectors = _words(folder, features / "text", classes, words)
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


def _shot_folder(folder: Path, shot: int | None) -> str:
    there = sorted(each.name for each in (folder / "features").glob("*-shot") if each.is_dir())
    if not there:
        raise BankError(f"{folder}: no folder features/K-shot; name the folder that holds features and class-split")
    wanted = there[0] if shot is None and len(there) == 1 else f"{shot}-shot"
    if wanted not in there:
        raise BankError(f"{folder / 'features'}: holds {', '.join(there)}; name one of them with `shot`")
    return wanted


def _read_parts(folder: Path) -> dict[str, str]:
    """Return class -> part."""
    parts: dict[str, str] = {}
    for part, name in _PARTS.items():
        file = folder / f"{name}.txt"
        try:
            labels = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except FileNotFoundError:
            raise BankError(f"{file}: missing; it lists the {part} classes") from None
        for label in labels:
            if label in parts:
                raise BankError(f"{file}: {label!r} is already {parts[label]}; a class has one part")
            parts[label] = part
    return parts


def _words(folder: Path, text: Path, classes: Sequence[str], words: Path | None) -> Vectors:
    """Word vectors of the classes, in their order, each found by the class's own name."""
    listed = sorted(folder.rglob("*_w2v_class_names.csv"))
    manual: dict[str, str] = {}
    for file in listed:
        cells = read_csv(file, ("original", "manual"))
        manual |= {letters(one): other for one, other in zip(cells["original"], cells["manual"], strict=True)}
    names = [manual.get(letters(label), label) for label in classes]
    if words is not None:
        return read_words(words, names)
    files = sorted(text.glob("word_embeddings_*.npy"))
    if len(files) != 1:
        raise BankError(f"{text}: {len(files)} files word_embeddings_*.npy, where one is needed; give `words`")
    found = read_object_array(files[0])
    if not isinstance(found, dict):
        raise BankError(f"{files[0]}: holds no names with their vectors; give `words`")
    return match_words(found, names, files[0])


def _stream(
    features: Path,
    parts: dict[str, str],
    draw: int | None,
    clips: dict[str, list[str]],
    tokens: dict[str, _Drafts],
) -> None:
    """Write the tokens of all clips, and list the clips."""
    seen: dict[str, Path] = {}
    for split, allowed, place, repeated in tqdm(list(_folders(draw)), desc="folders", disable=None, delay=1):
        for label, name in _classes(features, place, parts, allowed):
            file = features / "video" / place / name
            of_class = {each: _read_class(features / each / place / name) for each in tokens}
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


def _classes(features: Path, place: str, parts: dict[str, str], allowed: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the classes of a folder, and the names of their files."""
    label_of = {letters(label): label for label in parts}
    names = sorted({file.name for each in ("audio", "video") for file in (features / each / place).glob("*.pkl")})
    if not names:
        raise BankError(f"{features / 'video' / place}: no file CLASS.pkl; copy the folder again")
    for name in names:
        label = label_of.get(letters(Path(name).stem))
        if label is None or parts[label] not in allowed:
            its_part = parts.get(label or "", "in no list of classes")
            raise BankError(
                f"{features / 'video' / place / name}: this class is {its_part}, where {' or '.join(allowed)} is "
                "needed; remove the file, or mend the lists of class-split"
            )
        yield label, name


def _folders(draw: int | None) -> Iterator[tuple[str, tuple[str, ...], str, bool]]:
    """Yield split, allowed parts, folder, and whether its classes' clips may be in an earlier folder, which counts."""
    for place, (split, allowed) in _SPLITS.items():
        yield split, allowed, place, False
    draws = DRAWS if draw is None else DRAWS[draw : draw + 1]
    for split in ("train", "test"):
        for ending in draws:
            yield split, ("novel-test",), f"stage_2_{split}_novel{ending}", draw is None


def _read_class(file: Path) -> dict[str, NDArray[Any]]:
    """Return clip -> its features; empty if there is no such file, because the class lacks the modality there."""
    if not file.exists():
        return {}
    content = read_pickle(file)
    try:
        names, arrays = [str(name) for name in content["video_names"]], list(content["features"])
        found = {name: np.asarray(array) for name, array in zip(names, arrays, strict=True)}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BankError(f"{file}: not features and video_names, one entry a clip ({error!r}); copy it again") from None
    if len(found) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BankError(f"{file}: {twice!r} stands {names.count(twice)} times; keep one")
    return found
