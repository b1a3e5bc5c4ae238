"""A labelling session: the window that is asked about, answers, undo, and fits in a thread of their own."""

import threading
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mgcl.classifier.detector import BACKGROUND
from mgcl.classifier.estimator import FewShotClassifier
from mgcl.classifier.labelling import choosing
from mgcl.classifier.labelling.board import Board, keys
from mgcl.classifier.labelling.choosing import FARTHEST, MARGIN, NEAREST, RANDOM_EVERY, Pool
from mgcl.classifier.labelling.labels import NO, RANDOM, SKIP, UNDO, YES, Label, LabelFile, said, standing
from mgcl.classifier.labelling.learning import Point, Start, class_scores, curve, fitted, pool
from mgcl.errors import ClassifierError, MgclError, gathered_warnings

MODES = (MARGIN, NEAREST, RANDOM)
REFIT_EVERY = 5
"""Labelled windows after which the model is fitted again."""


@dataclass(frozen=True)
class Question:
    """A window, and the class that is asked for."""

    row: int
    label: str
    score: float
    """Probability of the class; the cosine with its name as long as there is no model."""
    chosen: str
    """How the window was chosen: margin, nearest, farthest or random."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """The newest fit."""

    classifier: FewShotClassifier | None
    """None: there are no two classes yet."""
    labels: int
    """Number of windows that it was fitted on."""
    seen: frozenset[tuple[int, str]]
    """Rows and classes of all labelled windows, those for tests too, when it was fitted."""
    pool: Pool
    curve: tuple[Point, ...] = ()
    fault: str = ""
    """Why the newest labels could not be fitted; the model is then that of earlier ones."""


class Session:
    """One person's labelling of one index. All methods may be called from several threads."""

    def __init__(self, begun: Start, file: LabelFile, *, out: Path | None = None) -> None:
        """Begin, or go on with the labels that the file has; the first fit is made here.

        Args:
            begun: index, model and classes.
            file: file of labels.
            out: folder that every fit is saved to; None: none is.
        """
        self.begun, self._file, self._out = begun, file, out
        self._mode, self._nearest_to = MARGIN, begun.classes[0]
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._question: Question | None = None
        self.board = Board(begun.index, keys(begun.index), begun.classes, said(file.labels))
        self._learnt = self._fit(Learnt(None, 0, frozenset(), pool(begun, None, seed=0)))
        self._question = self._next()

    @property
    def classifier(self) -> FewShotClassifier | None:
        """The newest fit; None: there are no two classes yet."""
        return self._learnt.classifier

    def state(self) -> dict[str, object]:
        """What a page shows, as json values."""
        with self._lock:
            board, learnt, asked = self.board, self._learnt, self._question
            window = None if asked is None else board.index.stretch(asked.row)
            return {
                "question": asked and asdict(asked),
                "window": window and asdict(window),
                "classes": board.classes,
                "background": BACKGROUND,
                "mode": self._mode,
                "nearest_to": self._nearest_to,
                "labels": len(board.labelled()[0]),
                "tests": len(board.labelled(tests=True)[0]),
                "counts": Counter(board.class_of(row) for row in board.by_row if board.class_of(row)),
                "answers": len(standing(self._file.labels)),
                "fitted_on": None if learnt.classifier is None else learnt.labels,
                "fitting": self._thread is not None,
                "fault": learnt.fault,
                "curve": [asdict(point) for point in learnt.curve],
            }

    def answer(self, row: int, label: str, answer: str) -> None:
        """Record an answer; it is on the disk when this returns.

        Args:
            row: row of the window.
            label: the class that it is about.
            answer: "yes", "no" or "skip". A yes to the background denies all other classes.

        Raises:
            ClassifierError: the window is not the one that is asked about, or the class or the answer is unknown.
            OSError: the file of labels cannot be written.
        """
        with self._lock:
            asked = self._question
            if asked is None or asked.row != row:
                raise ClassifierError("another window is asked about by now; load the page again")
            if answer not in (YES, NO, SKIP) or label not in (*self.board.classes, BACKGROUND):
                raise ClassifierError(f"{answer!r} to {label!r} is no answer; answers are yes, no and skip, to a class")
            window = self.board.index.stretch(row)
            self._append(Label(_now(), str(window.path), window.start, window.end, label, answer, asked.chosen))
            self._question = self._next()
            if self._is_due() and self._thread is None:
                self._thread = threading.Thread(target=self._fit_aside, name="fit")
                self._thread.start()

    def undo(self) -> None:
        """Take back the last answer; its window is asked about again. Without answers nothing happens.

        Raises:
            OSError: the file of labels cannot be written.
        """
        with self._lock:
            if answers := standing(self._file.labels):
                last = answers[-1]
                self._append(replace(last, time=_now(), answer=UNDO))
                row = self.board.keys.get(last.key)
                self._question = self._next() if row is None else self._about(row, last.chosen, last.label)

    def choose(self, mode: str, nearest_to: str) -> None:
        """Change how windows are chosen.

        Args:
            mode: one of ``MODES``.
            nearest_to: with "nearest": the class.

        Raises:
            ClassifierError: the mode or the class is unknown.
        """
        if mode not in MODES or nearest_to not in self.board.classes:
            raise ClassifierError(f"{mode!r}, {nearest_to!r}: choose one of {', '.join(MODES)}, and a class")
        with self._lock:
            self._mode, self._nearest_to = mode, nearest_to
            self._question = self._next()

    def finish(self) -> None:
        """Fit to the newest labels, if that was not done, and save the model."""
        if (thread := self._thread) is not None:
            thread.join()
        if _pairs(self.board) != self._learnt.seen or self._learnt.fault:
            self._learnt = self._fit(self._learnt)

    def _append(self, label: Label) -> None:
        self._file.append(label)
        self.board = replace(self.board, said=said(self._file.labels))

    def _next(self) -> Question | None:
        """The same window with its next class, or another window; None: all are done, or overlap one that is."""
        board, asked = self.board, self._question
        if asked is not None and board.is_pending(asked.row):
            return self._about(asked.row, asked.chosen)
        random = self._mode == RANDOM or board.done % RANDOM_EVERY == RANDOM_EVERY - 1
        if not random and (found := self._most_informative()) is not None:
            return found
        rows = board.open_rows()
        row = choosing.drawn(rows[board.is_apart(rows)], seed=board.done)  # a test beside a lesson would be too easy
        return None if row is None else self._about(row, RANDOM)

    def _most_informative(self) -> Question | None:
        """The window of the pool that tells most; None: all of them are done, or beside one that is."""
        board, scored = self.board, self._learnt.pool
        allowed = board.is_apart(scored.rows)
        label: str | None = self._nearest_to
        if self._mode == MARGIN:
            label = self._unknown()
            if scored.margins is not None and board.done % 2:
                label = None  # a class that is nowhere to be found holds up no other
        if label is not None:
            row, chosen = choosing.nearest(scored, board.classes.index(label), allowed), NEAREST
        elif scored.margins is not None:
            row, chosen = choosing.least_margin(scored, allowed), MARGIN
        else:  # what is missing for a model is the background
            row, chosen = choosing.farthest(scored, allowed), FARTHEST
        return None if row is None else self._about(row, chosen, label)

    def _about(self, row: int, chosen: str, label: str | None = None) -> Question:
        """The question about a window: for the given class, or for the likeliest that was not denied."""
        classes = self.board.classes
        scores = class_scores(self.begun, self._learnt.classifier, row)
        if label is None or label not in classes:
            denied = self.board.by_row[row].denied if row in self.board.by_row else set()
            rest = [each for each in classes if each not in denied] or list(classes)
            label = max(rest, key=lambda each: float(scores[classes.index(each)]))
        return Question(row, label, float(scores[classes.index(label)]), chosen)

    def _unknown(self) -> str | None:
        """The first class of which there is no clip yet, and which is therefore looked for by its name."""
        known = {*self.begun.known, *self.board.labelled()[1]}
        return next((label for label in self.board.classes if label not in known), None)

    def _is_due(self) -> bool:
        """Whether there are enough new labels for another fit."""
        new = _pairs(self.board) ^ self._learnt.seen
        return len(new) >= REFIT_EVERY or (bool(new) and self._learnt.classifier is None)

    def _fit_aside(self) -> None:
        """Fit, in a thread, until no fit is due."""
        while True:
            self._learnt = self._fit(self._learnt)
            with self._lock:
                if not self._is_due():
                    self._thread = None
                    return

    def _fit(self, former: Learnt) -> Learnt:
        """Fit to the labels that there are now, and save the model."""
        board = self.board
        labelled = board.labelled()
        try:
            with gathered_warnings():
                classifier = fitted(self.begun, *labelled)
                scored = pool(self.begun, classifier, seed=board.done)
                if classifier is not None and self._out is not None:
                    classifier.save(self._out)
                # The next questions do not wait for the curve, which is several fits.
                self._learnt = Learnt(classifier, len(labelled[0]), _pairs(board), scored, former.curve)
                points = curve(self.begun, *labelled, *board.labelled(tests=True))
        except (MgclError, FloatingPointError, OSError) as error:
            return replace(former, seen=_pairs(board), fault=str(error))
        return replace(self._learnt, curve=points)


def _pairs(board: Board) -> frozenset[tuple[int, str]]:
    """Rows and classes of all labelled windows."""
    both = (board.labelled(tests=tests) for tests in (False, True))
    return frozenset(pair for rows, labels in both for pair in zip(rows.tolist(), labels, strict=True))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
