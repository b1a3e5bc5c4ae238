"""Episodes. Each is a pure function of (dataset, fold, way, shot, queries, seed, index), and never of the method."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mgcl.errors import SweepError
from mgcl.records import Clip, Episode, Fold
from mgcl.seeding import generator, seed_of

VERSION = 1
"""Part of every trial's key. Increase it whenever the same identity draws, or counts, other clips."""

SPLITS = ("clip", "source", "fold")

Pool = Mapping[str, Sequence[Clip]]


def pool(clips: Iterable[Clip]) -> Pool:
    """Group clips by class, in an order that depends on their ids alone."""
    by_label: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.clip_id):
        by_label[clip.label].append(clip)
    return dict(sorted(by_label.items()))


def draw(
    clips: Pool,
    *,
    dataset: str,
    fold: Fold,
    way: int,
    shot: int,
    queries: int,
    seed: int,
    index: int,
    split: str = "clip",
) -> Episode:
    """Draw one episode: ``way`` classes of the fold, then ``shot`` support and ``queries`` query clips per class.

    With split "source" no recording is in both support and query: clips from a support clip's recording cannot become
    queries. With split "fold" the query clips are of one of the data set's own folds of clips, which take turns, and
    the support clips are of the others. ``check_drawable`` refuses beforehand the cells in which a class could run out
    of clips.

    Raises:
        SweepError: a class ran out of clips.
    """
    identity = (dataset, fold.kind, fold.index, fold.classes, way, shot, queries, seed, index)
    random = generator("episode", *identity)
    classes = tuple(map(str, random.permutation(fold.classes)[:way]))
    needed = shot + queries if split == "clip" else None  # of a large class few are drawn
    shuffled = [[clips[label][i] for i in random.permutation(len(clips[label]))[:needed]] for label in classes]
    if split == "fold":
        tested = _clip_folds(clips, fold)
        now = tested[index % len(tested)]
        support = [[clip for clip in each if clip.fold != now][:shot] for each in shuffled]
        query = [[clip for clip in each if clip.fold == now][:queries] for each in shuffled]
    else:
        support = [each[:shot] for each in shuffled]
        used = {_source(clip) for each in support for clip in each} if split == "source" else set()
        query = [[clip for clip in each[shot:] if _source(clip) not in used][:queries] for each in shuffled]
    if any(len(row) != size for rows, size in ((support, shot), (query, queries)) for row in rows):
        raise SweepError(f"fold {fold.index}, episode {index}: a class ran out of clips; lower `shots` or `queries`")
    return Episode(index, seed_of("method", *identity), classes, _ids(support), _ids(query))


def check_drawable(clips: Pool, *, fold: Fold, way: int, shot: int, queries: int, split: str) -> None:
    """Refuse a cell of which some episode could run out of clips.

    Raises:
        SweepError: ``way``, ``shot`` or ``queries`` is too small; there are fewer than ``way`` classes; a class may
            have too few clips for ``shot`` and ``queries``; or the split is "source" and a clip's source is unknown.
    """
    unknown = sum(clip.source is None for label in fold.classes for clip in clips[label])
    if split == "source" and unknown:
        raise SweepError(f"`split` source: the bank does not know the recording of {unknown} clips; use `split` clip")
    if split == "fold" and len(folds := _clip_folds(clips, fold)) < 2:
        raise SweepError(
            f"`split` fold: the bank's clips are of {len(folds)} folds, and 2 are needed; use `split` clip"
        )
    if min(way - 1, shot, queries) < 1:
        raise SweepError(f"{way}-way {shot}-shot with {queries} queries: at least 2 ways, 1 shot and 1 query")
    if way > len(fold.classes):
        raise SweepError(f"{way}-way needs {way} classes, but fold {fold.index} has {len(fold.classes)}; lower `ways`")
    for label in fold.classes:
        if split == "fold":
            _check_folds(clips[label], label, _clip_folds(clips, fold), shot=shot, queries=queries)
            continue
        left = len(clips[label]) - _withheld(clips, fold, label, shot, split)
        if queries > left:
            raise SweepError(
                f"class {label!r} has {len(clips[label])} clips: {shot}-shot leaves {max(left, 0)} for {queries} "
                f"queries (split {split!r}); lower `shots` or `queries`"
            )


def _check_folds(clips: Sequence[Clip], label: str, folds: Sequence[int | None], *, shot: int, queries: int) -> None:
    """Refuse a class with fewer than ``queries`` clips in one of the folds, or fewer than ``shot`` in the others."""
    inside = Counter(clip.fold for clip in clips)
    for each in folds:
        if inside[each] < queries or len(clips) - inside[each] < shot:
            raise SweepError(
                f"class {label!r} has {inside[each]} clips in fold {each}, for {queries} queries, and "
                f"{len(clips) - inside[each]} in the others, for {shot} shots (split 'fold'); lower `shots` or "
                "`queries`"
            )


def _clip_folds(clips: Pool, fold: Fold) -> list[int]:
    """The data set's own folds of clips, in order."""
    return sorted({clip.fold for label in fold.classes for clip in clips[label] if clip.fold is not None})


def _withheld(clips: Pool, fold: Fold, label: str, shot: int, split: str) -> int:
    """Largest number of a class's clips that an episode's support sets can exclude from its queries.

    With split "source" these are all clips of recordings that another class shares, and all clips of the ``shot``
    recordings with most clips among the others.
    """
    if split == "clip":
        return shot
    own = Counter(map(_source, clips[label]))
    foreign = {_source(clip) for other in fold.classes if other != label for clip in clips[other]}
    shared = sum(count for source, count in own.items() if source in foreign)
    private = Counter({source: count for source, count in own.items() if source not in foreign})
    return shared + sum(count for _, count in private.most_common(shot))


def _source(clip: Clip) -> str:
    return clip.clip_id if clip.source is None else clip.source


def _ids(clips: Sequence[Sequence[Clip]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(clip.clip_id for clip in each) for each in clips)
