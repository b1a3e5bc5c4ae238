"""Progress of a command: a bar on a terminal, and elsewhere a line every ``SILENCE`` seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from tqdm import tqdm

SILENCE = 12.0
"""Seconds after which a running command prints another line."""

# The fixed parts come first: a narrow terminal cuts the latest results at the end, and keeps counts and times.
_BAR = "{desc}: {n_fmt}/{total_fmt} |{bar:10}| {elapsed}{left}{speed}{postfix}"
_LINE = "{desc}: {n_fmt}/{total_fmt} {unit}s, {elapsed}{left}{speed}{postfix}"


class Bar(tqdm):  # type: ignore[misc]
    """tqdm's bar with a clock that also moves between results; without a terminal it prints a line per ``SILENCE``.

    Args:
        arguments: positional arguments of tqdm.
        estimated: take pace and time left from the latest call of ``expect``; otherwise they count from the bar's
            first second.
        file: stream to print to (default: standard error).
        options: keyword arguments of tqdm.
    """

    def __init__(self, *arguments: Any, estimated: bool = False, file: TextIO | None = None, **options: Any) -> None:
        stream = file or sys.stderr
        self._terminal = stream.isatty()
        self._estimated = estimated
        self._end: float | None = None
        self._began: float | None = None
        self.last_print_t: float
        shape = {
            "file": stream if self._terminal else _Lines(stream),
            "bar_format": _BAR if self._terminal else _LINE,
            "mininterval": 0.1 if self._terminal else SILENCE,
            "miniters": 1,
            "smoothing": 0,
            "dynamic_ncols": True,
        }
        super().__init__(*arguments, **{**options, **shape})
        self._stop = threading.Event()
        if not self.disable:
            _every(1.0, self.beat, self._stop)

    def __iter__(self) -> Iterator[Any]:
        """Yield the items and count them. tqdm's own loop counts items twice if the clock prints in between."""
        try:
            for each in self.iterable:
                yield each
                self.update()
        finally:
            self.close()

    @property
    def format_dict(self) -> dict[str, Any]:
        """Fields that tqdm shows, with the time left and the pace in words."""
        known = super().format_dict
        done, elapsed = known["n"] - known["initial"], known["elapsed"]
        if self._estimated:
            elapsed = self._time() - self._began if self._began else 0.0
        left = self._seconds_left(done, elapsed)
        known["speed"] = f", {_speed(done / elapsed)} {known['unit']}/s" if done and elapsed > 0 else ""
        # An estimate that has run out is not shown.
        known["left"] = f", {tqdm.format_interval(left)} left" if left and left >= 1 else ""
        return dict(known)

    def _seconds_left(self, done: float, elapsed: float) -> float | None:
        if self._estimated:
            return None if self._end is None else self._end - self._time()
        return (self.total - self.n) * elapsed / done if self.total and done > 0 else None

    def expect(self, seconds: float | None, *, began: float | None) -> None:
        """Set the estimate of the time left, which counts down from now.

        Args:
            seconds: seconds left; None: not known.
            began: time at which the first worker began, in seconds since 1970; None: none has begun.
        """
        if not self.disable:
            self._began = began
            self._end = None if seconds is None else self._time() + seconds

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set the text at the end; without a terminal it is shown with the next line."""
        super().set_postfix_str(s, refresh and self._terminal)

    def beat(self) -> None:
        """Refresh the bar; called every second. Without a terminal it prints only once ``SILENCE`` has passed."""
        # The reader of the output may have closed it; the thread that does the work reports that error.
        with suppress(OSError, ValueError), self.get_lock():
            if not self.disable and (self._terminal or self._time() - self.last_print_t >= SILENCE):
                self.refresh(nolock=True)  # if tqdm took the lock, it would keep it after an error
                self.last_print_t = self._time()

    def close(self) -> None:
        """Show the bar for the last time."""
        if hasattr(self, "_stop"):
            self._stop.set()
        super().close()


class _Lines:
    """Stream wrapper that writes each state of a bar as a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a state without the escape codes that move a terminal's cursor."""
        if words := text.replace("\x1b[A", "").strip():
            self._stream.write(words + "\n")

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def _speed(each_second: float) -> str:
    return f"{each_second:.2g}" if each_second < 10 else f"{each_second:.0f}"


@contextmanager
def at_work(words: str) -> Iterator[None]:
    """Print what a command is doing, at the start of the block and again after every ``SILENCE`` seconds."""
    started = time.monotonic()
    Bar.write(f"{words} ...")
    stop = threading.Event()

    def beat() -> None:
        with suppress(OSError, ValueError):
            Bar.write(f"still {words} ({time.monotonic() - started:.0f} s) ...")

    _every(SILENCE, beat, stop)
    try:
        yield
    finally:
        stop.set()


def _every(seconds: float, beat: Callable[[], object], stop: threading.Event) -> None:
    def run() -> None:
        while not stop.wait(seconds):
            beat()

    threading.Thread(target=run, daemon=True, name="progress").start()
