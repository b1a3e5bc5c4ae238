"""Faults of a data set that are known before a clip is decoded: for readers and, at the start, for extraction."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mgcl.data.dataset import AudioFile, Dataset
from mgcl.events import Event

SPLITS = ("train", "validation", "test")
"""Values of ``AudioFile.split``."""


def faults(dataset: Dataset) -> Iterator[str]:
    """Yield what contradicts itself in a data set: the clip's file or id, what is wrong, and what to do."""
    yield from _of_protocol(dataset)
    for clip_id, times in Counter(file.clip_id for file in dataset.files).items():
        if times > 1:
            yield f"{dataset.name}: the clip id {clip_id!r} stands {times} times; give each clip its own"
    for file in dataset.files:
        yield from _of_clip(file)
    for name, values in (
        ("label", [file.label or None for file in dataset.files]),
        ("labels", [file.labels for file in dataset.files]),
        ("events", [file.events for file in dataset.files]),
        ("captions", [file.captions or None for file in dataset.files]),
    ):
        yield from _missing(name, values, dataset.files)


def event_fault(event: Event) -> str:
    """What is wrong with an event, and what to do; empty: nothing."""
    if not event.label:
        return f"the event from {event.onset:g} s has no class; name it, or remove it"
    if not 0 <= event.onset < event.offset < float("inf"):
        return (
            f"{event.label!r} from {event.onset:g} s to {event.offset:g} s: "
            "an event begins at 0 s or later, and ends after that; mend its times"
        )
    return ""


def _of_protocol(dataset: Dataset) -> Iterator[str]:
    window = dataset.window
    if window and window.fault:
        yield f"{dataset.name}: {window.fault}"
    if window and dataset.pictures:
        yield f"{dataset.name}: `window` is of sounds, and videos are embedded whole; leave it out"
    if dataset.prompt and dataset.prompt.count("{}") != 1:
        yield f"{dataset.name}: the prompt {dataset.prompt!r} must have {{}} once, for the class's name"
    if any(file.events is not None for file in dataset.files) and not (window and window.long == "first"):
        yield (
            f"{dataset.name}: its events are timed from the start of a clip, so its `window` must be given, and take "
            "the first seconds of longer clips (long='first')"
        )


def _missing(name: str, values: Sequence[Any], files: Sequence[AudioFile]) -> Iterator[str]:
    """Yield the clips that lack what others have; a bank's column has a value in every row."""
    without = [file for file, value in zip(files, values, strict=True) if value is None]
    if 0 < len(without) < len(files):
        yield (
            f"{without[0].path}: no {name}, one of {len(without)} such clips, where other clips have; "
            "add it to these, or leave them out"
        )


def _of_clip(file: AudioFile) -> Iterator[str]:
    if not (file.label or file.captions or file.caption) and file.labels is None and file.events is None:
        yield f"{file.path}: neither a class nor a caption; add one, or leave the clip out"
    if "" in (file.labels or ()):
        yield f"{file.path}: one of its labels is empty; name it, or remove it"
    if any(not caption.strip() for caption in file.captions):
        yield f"{file.path}: one of its captions is empty; write one, or remove it"
    for event in file.events or ():
        if fault := event_fault(event):
            yield f"{file.path}: {fault}"
    if file.split not in (None, *SPLITS):
        yield f"{file.path}: the split {file.split!r} is none of {', '.join(SPLITS)}; rename it"
