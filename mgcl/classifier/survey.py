"""Detection in many recordings: side by side, and each finished recording on the disk at once."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from mgcl.append_log import AppendLog, append_log
from mgcl.classifier.detection import Detection
from mgcl.classifier.detector import Found, Rules, detect
from mgcl.classifier.fitted import Fitted
from mgcl.classifier.workers import side_by_side
from mgcl.errors import ClassifierError, DataError


@dataclass
class Survey:
    """Events of the recordings that are done, by path."""

    found: dict[str, Found] = field(default_factory=dict)
    """Absolute path -> events."""
    _states: dict[str, list[int]] = field(default_factory=dict)
    _log: AppendLog | None = None

    def has(self, path: Path) -> bool:
        """Whether the recording is done, and has not changed since."""
        return self._states.get(_key(path)) == _state(path)

    def add(self, path: Path, found: Found) -> None:
        """Record the events of a recording; they are on the disk when this returns."""
        key, state = _key(path), _state(path)
        if self._log:
            events = [astuple(event) for event in found.events]
            self._log.append([{"path": key, "state": state, "seconds": found.seconds, "events": events}])
        self.found[key], self._states[key] = found, state


@contextmanager
def resumed(log: Path | None, settings: Mapping[str, Any]) -> Iterator[Survey]:
    """Open a survey, with what an earlier process finished.

    Args:
        log: file of json lines, one per finished recording; None: nothing is kept.
        settings: everything that the events depend on beside the recordings, as json values.

    Raises:
        ClassifierError: the log is of other settings.
        MgclError: another process has the log open, or the file is no such log.
    """
    if log is None:
        yield Survey()
        return
    with append_log(log) as lines:
        if not lines.records:
            lines.append([{"settings": settings}])
        if (before := lines.records[0].get("settings")) != settings:
            changed = [name for name in settings if not before or before.get(name) != settings[name]]
            raise ClassifierError(
                f"{log}: holds events that were found with another {', '.join(changed)}; name another `out`, or "
                "remove that file to begin anew"
            )
        survey = Survey(_log=lines)
        for line in lines.records[1:]:
            events = tuple(Detection(*event) for event in line["events"])
            survey.found[line["path"]] = Found(events, line["seconds"])
            survey._states[line["path"]] = line["state"]
        yield survey


def detect_all(
    classifier: Fitted,
    paths: Sequence[Path],
    rules: Rules,
    *,
    workers: int = 1,
    watch: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Path, Found | DataError]]:
    """Find the events of recordings, in the order in which they are finished.

    Args:
        classifier: see ``detect``.
        paths: the recordings.
        rules: see ``detect``.
        workers: number of recordings that are done side by side.
        watch: called once per window, by one thread at a time.
    """
    lock = threading.Lock()

    def locked() -> None:
        with lock:
            watch()

    def job(path: Path) -> tuple[Path, Found | DataError]:
        try:
            return path, detect(classifier, path, rules, watch=locked)
        except DataError as error:
            return path, error

    yield from side_by_side(job, paths, workers=workers, in_order=False)


def _key(path: Path) -> str:
    return str(path.absolute())


def _state(path: Path) -> list[int]:
    """Size in bytes and time of the last change in nanoseconds, by which a changed file is noticed."""
    there = path.stat()
    return [there.st_size, there.st_mtime_ns]
