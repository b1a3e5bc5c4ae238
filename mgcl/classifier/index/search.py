"""Search of an index: windows ranked by their embeddings, then by transport between segments."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgcl.backbones.backbone import Backbone
from mgcl.classifier.embedding import embedded, embedded_sentences
from mgcl.classifier.index.index import Index, Rows
from mgcl.classifier.sounds import Sound
from mgcl.errors import ClassifierError
from mgcl.transport.similarity import similarity

TOP = 50
"""Windows that are found where no number is said."""
MOST = 1000
"""Greatest number of windows that can be asked for: the transport takes some 0.1 ms per window."""
_LEAST_SHORT_LIST, _PER_HIT = 300, 6
"""Windows whose segments are compared: as many per hit, since windows overlap, and at least 300."""
_SAMPLE = 256
"""Windows whose mean segment stands for what usually sounds."""


@dataclass(frozen=True)
class Query:
    """What is looked for, as unit vectors."""

    clip: Float[Tensor, " d"]
    segments: Float[Tensor, "n d"]


@dataclass(frozen=True)
class Hit:
    """One window that was found."""

    recording: str
    """Absolute path of the recording."""
    start: float
    """Start of the window, in seconds."""
    end: float
    """End of the window, in seconds."""
    match_start: float
    """Start of what matched best within the window, in seconds."""
    match_end: float
    """End of what matched best, in seconds."""
    score: float
    """Mean of ``cosine`` and ``similarity``, in -1..1: what hits are ranked by."""
    cosine: float
    """Cosine of the whole window and the query, in -1..1."""
    similarity: float
    """Similarity of their segments, <T, cos>, in -1..1."""


def query_of_sound(sound: Sound, backbone: Backbone) -> Query:
    """The query for windows that are like a clip.

    Raises:
        ClassifierError: the clip is silent.
    """
    if sound.is_silent:
        raise ClassifierError(f"{sound.name}: is silent; name a clip of what you look for")
    clip, _ = embedded([sound], backbone, None, None)
    return Query(clip.clip[0], clip.segments[0])


def query_of_text(text: str, backbone: Backbone) -> Query:
    """The query for windows that a sentence describes. The sentence is one segment.

    Raises:
        BackboneError: the backbone cannot embed the sentence.
    """
    sentence = embedded_sentences([text], backbone)
    return Query(sentence[0], sentence)


def find(index: Index, query: Query, *, top: int = TOP) -> list[Hit]:
    """Find the windows of an index that are most like a query.

    All windows are ranked by the cosine of their embeddings. The first of them are ranked again by the mean of the
    cosine and of the similarity of segments by transport (MGCL Eq. 3-9, the default ``Matching``): coarse and fine.
    Of windows that overlap, the best one is kept.

    Args:
        index: the index; silent windows are passed over.
        query: what is looked for.
        top: greatest number of hits, in 1..``MOST``.

    Returns:
        At most ``top`` hits, by falling score; equal ones in the order of their rows.

    Raises:
        ClassifierError: ``top`` is out of range.
        DataError: the index has no windows that could be found.
    """
    if not 1 <= top <= MOST:
        raise ClassifierError(f"`top` {top}: a number of windows from 1 to {MOST}")
    index.check_any()
    cosines = np.where(index.usable, index.cosines(query.clip.numpy()), -np.inf)
    count = min(max(_LEAST_SHORT_LIST, _PER_HIT * top), int(index.usable.sum()))
    rows = np.sort(np.argpartition(-cosines, count - 1)[:count])
    segments = index.segments(rows)
    with torch.inference_mode():
        similarities = similarity(query.segments[None], torch.from_numpy(segments)).value[0].numpy()
    scores = (cosines[rows] + similarities) / 2
    usual = _usual_segment(index)
    hits = []
    for place in _apart(index, rows[order := np.argsort(-scores, kind="stable")])[:top]:
        found = order[place]
        row, best = rows[found], (segments[found] @ query.segments.numpy().T).max(1)
        start, end = float(index.starts[row]), float(index.stops[row])
        first, last = _matched(best - segments[found] @ usual, end - start, index.header.segment_seconds)
        hits.append(
            Hit(
                recording=index.recordings[index.recording[row]],
                start=start,
                end=end,
                match_start=start + first,
                match_end=min(end, start + last),
                score=float(scores[found]),
                cosine=float(cosines[row]),
                similarity=float(similarities[found]),
            )
        )
    return hits


def _apart(index: Index, rows: Rows) -> list[int]:
    """Places among ``rows`` of those windows that overlap no earlier one of them."""
    taken: dict[int, list[tuple[float, float]]] = {}
    places = []
    for place, row in enumerate(rows):
        start, end = float(index.starts[row]), float(index.stops[row])
        spans = taken.setdefault(int(index.recording[row]), [])
        if all(end <= other_start or other_end <= start for other_start, other_end in spans):
            spans.append((start, end))
            places.append(place)
    return places


def _usual_segment(index: Index) -> NDArray[np.float32]:
    """Direction of the mean segment of windows that lie evenly in the index, shape (d,)."""
    usable = np.flatnonzero(index.usable)
    sample = usable[np.linspace(0, len(usable) - 1, min(_SAMPLE, len(usable))).astype(np.intp)]
    mean = index.segments(sample).mean((0, 1))
    direction: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), np.finfo(np.float32).tiny)
    return direction


def _matched(excess: NDArray[np.float32], length: float, step: float) -> tuple[float, float]:
    """Stretch of a window that matched: its best segment, and those beside it in the upper half of the range.

    Without the cosine with the usual segment, pauses would match: a pause is like a pause.

    Args:
        excess: how much more each segment is like the query than like the usual segment, shape (segments,).
        length: length of the window in seconds; segments after it are of its repetitions, and left out.
        step: seconds from one segment to the next.

    Returns:
        Start and end in seconds from the window's start.
    """
    own = excess[: max(1, math.ceil(length / step - 0.5))]
    low = np.flatnonzero(own < (own.max() + own.min()) / 2)
    best = int(own.argmax())
    before, after = low[low < best], low[low > best]
    first = int(before[-1]) + 1 if len(before) else 0
    last = int(after[0]) if len(after) else len(own)
    return first * step, last * step
