"""Events of recordings as text: csv, json, Raven's selection tables and Audacity's label tracks."""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path, PurePath

from mgcl.classifier.annotations import BEGIN, END, OFFSET
from mgcl.data.folder import clip_ids
from mgcl.events import Event
from mgcl.files import as_text as printable
from mgcl.files import replacing

FORMATS = ("csv", "json", "raven", "audacity")


@dataclass(frozen=True)
class Recording:
    """The events of one recording, as they are written."""

    path: str
    events: Sequence[Event]
    """Events, with or without a ``probability``."""
    seconds: float
    """Length of the recording, in seconds."""


def as_text(recordings: Sequence[Recording], form: str, *, highest: float) -> str:
    """Events in one of ``FORMATS``.

    Args:
        recordings: the recordings; for "audacity" one.
        form: one of ``FORMATS``.
        highest: upper edge of the selections of "raven", in Hz.
    """
    if form == "raven":
        return _raven([replace(each, path=str(Path(each.path).absolute())) for each in recordings], highest=highest)
    if form == "audacity":
        return "".join(map(_audacity, recordings))
    return {"csv": _csv, "json": _json}[form](recordings)


def write(recordings: Sequence[Recording], form: str, out: Path, *, highest: float) -> None:
    """Write events to a file, or with "audacity" to a folder with one file per recording.

    A file is replaced when the new one is complete. Csv and json name recordings relative to the file's folder, as
    ``annotations.read`` takes them.

    Args:
        recordings: the recordings, with absolute paths.
        form: one of ``FORMATS``.
        out: the file or the folder; made if missing.
        highest: see ``as_text``.
    """
    if form == "audacity":
        files = {out / name: _audacity(each) for name, each in zip(_tracks(recordings), recordings, strict=True)}
    else:
        there = out.absolute().parent
        relative = [replace(each, path=os.path.relpath(each.path, there)) for each in recordings]
        files = {out: as_text(recordings if form == "raven" else relative, form, highest=highest)}
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as draft:
            draft.write_text(content, encoding="utf-8")


def _tracks(recordings: Sequence[Recording]) -> list[str]:
    """Names of the recordings' label tracks: their own, in the folders in which they differ."""
    paths = [PurePath(each.path) for each in recordings]
    common = os.path.commonpath([path.parent for path in paths]) if paths else ""
    return [f"{name}.txt" for name in clip_ids(path.relative_to(common) for path in paths)]


def _csv(recordings: Sequence[Recording]) -> str:
    """A csv table of path, start, end, label and, where events have one, probability; times in seconds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["path", "start", "end", "label", "probability"])
    for path, event in _rows(recordings):
        writer.writerow([path, f"{event.onset:.3f}", f"{event.offset:.3f}", event.label, _share(event)])
    return out.getvalue()


def _json(recordings: Sequence[Recording]) -> str:
    """A json list of objects with path, start, end, label and probability."""
    rows = [
        {"path": path, "start": round(event.onset, 3), "end": round(event.offset, 3), "label": event.label}
        | ({"probability": float(share)} if (share := _share(event)) else {})
        for path, event in _rows(recordings)
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _raven(recordings: Sequence[Recording], *, highest: float) -> str:
    """A selection table for Raven, in which the recordings follow one another.

    Args:
        recordings: the recordings, with paths that Raven can open.
        highest: upper edge of the selections, in Hz.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    band = ["Low Freq (Hz)", "High Freq (Hz)"]
    place = ["Begin Path", "Begin File", OFFSET]
    writer.writerow(["Selection", "View", "Channel", BEGIN, END, *band, *place, "Annotation", "Score"])
    befores = accumulate((each.seconds for each in recordings), initial=0.0)
    rows = [
        (before, each.path, event)
        for before, each in zip(befores, recordings, strict=False)
        for event in sorted(each.events)
    ]
    for number, (before, path, event) in enumerate(rows, start=1):
        times = [f"{before + event.onset:.3f}", f"{before + event.offset:.3f}"]
        place = [path, PurePath(path).name, f"{event.onset:.3f}"]
        writer.writerow(
            [number, "Spectrogram 1", 1, *times, "0.0", f"{highest:.1f}", *place, event.label, _share(event)]
        )
    return out.getvalue()


def _audacity(recording: Recording) -> str:
    """A label track for Audacity: start, end and label per line."""
    return "".join(
        f"{event.onset:.6f}\t{event.offset:.6f}\t{' '.join(event.label.split())}\n"
        for event in sorted(recording.events)
    )


def _rows(recordings: Sequence[Recording]) -> Iterator[tuple[str, Event]]:
    return ((printable(each.path), event) for each in recordings for event in sorted(each.events))


def _share(event: Event) -> str:
    probability = getattr(event, "probability", None)
    return "" if probability is None else f"{probability:.4f}"
