"""A study's points in a database that outlives the process."""

import re
import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError
from optuna.storages import get_storage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from mgcl.databases import check_writable, database_file
from mgcl.errors import MgclError, SearchError, root_cause
from mgcl.home import home
from mgcl.masking import masked, scrubbed
from mgcl.search.questions import Question

optuna.logging.set_verbosity(optuna.logging.WARNING)

ERROR = "error"
"""Attribute of a point that failed by itself: it counts, as a bad one."""


# Optuna's own, of a point that was not proposed but given
_GIVEN = "fixed_params"


def default_storage() -> str:
    """A SQLite file in ``MGCL_HOME``."""
    return f"sqlite:///{home() / 'studies.db'}"


@contextmanager
def open_study(question: Question, storage: str) -> Iterator[Study]:
    """The study of a question, made if it is new, for this process alone.

    Points that a killed process left under way have failed: they are proposed again.

    Raises:
        SearchError: it asks something else, another process is at work on it, or its database does not open.
    """
    with _alone(question.name, storage), _answering(storage):
        with _making_tables(storage):
            database = get_storage(storage)
        direction = StudyDirection.MAXIMIZE if question.metric.higher_is_better else StudyDirection.MINIMIZE
        study = optuna.create_study(
            storage=database, study_name=question.name, direction=direction, load_if_exists=True
        )
        if study.user_attrs.get("identity", question.identity) != question.identity:
            raise SearchError(
                f"`study` {masked(storage)}: {question.name!r} searched another space, or on other draws, or with "
                "another seed, sampler or stopping; name another `study`, or delete that one: "
                f"`{_deletion(question, storage)}`"
            )
        study.set_user_attr("identity", question.identity)
        if not study.get_trials(deepcopy=False) and question.default_inside:
            study.enqueue_trial(dict(question.default))
        for point in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(point.number, state=TrialState.FAIL)
            if _GIVEN in point.system_attrs:
                study.enqueue_trial(point.system_attrs[_GIVEN])
        yield study


def known_points(question: Question, storage: str) -> int:
    """Points that a study has; 0 if there is no such study."""
    with _answering(storage):
        file = _database(storage)
        if file and not file.exists():
            return 0
        known = {each.study_name for each in optuna.get_all_study_summaries(get_storage(storage))}
        return len(ended(optuna.load_study(study_name=question.name, storage=storage))) if question.name in known else 0


def ended(study: Study) -> list[FrozenTrial]:
    """Points that count: whole, stopped early because they were bad, or failed by themselves."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def complete(study: Study) -> list[FrozenTrial]:
    """Points with a value."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def figure_of(point: FrozenTrial) -> float:
    """Of a complete point: its mean validation figure, unscaled (an accuracy is in 0..1)."""
    if point.value is None:
        raise ValueError(f"point {point.number} is not complete")
    return point.value


def best(study: Study) -> FrozenTrial:
    """The best complete point; of equals the first.

    Raises:
        SearchError: there is none.
    """
    if not (points := complete(study)):
        raise SearchError(f"study {study.study_name!r}: no point is complete; run it with more `trials`")
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    return max(points, key=lambda point: (sign * figure_of(point), -point.number))


def default_point(study: Study, question: Question) -> FrozenTrial | None:
    """The point of the variant's own values, with which a study begins if its space holds them; None: not whole."""
    given = (point for point in complete(study) if point.system_attrs.get(_GIVEN) == question.default)
    return next(given, None)


def check_storage(storage: str) -> None:
    """Refuse a database that no study can be kept in, before anything else is made.

    Raises:
        SearchError: it ends with the process, or cannot be written.
    """
    if file := _database(storage):
        try:
            check_writable(file)
        except MgclError as error:
            raise SearchError(f"`study` {error}") from None


def _database(storage: str) -> Path | None:
    try:
        return database_file(storage)
    except MgclError as error:
        raise SearchError(f"`study` {error}") from None


def _deletion(question: Question, storage: str) -> str:
    file = _database(storage)
    address = f"sqlite:///{file}" if file else masked(storage)
    return shlex.join(["optuna", "delete-study", "--study-name", question.name, "--storage", address])


def _making_tables(storage: str) -> AbstractContextManager[object]:
    """Of several processes that start on a new SQLite file, one makes its tables while the others wait."""
    file = _database(storage)
    return FileLock(f"{file}.lock") if file else nullcontext()


@contextmanager
def _alone(name: str, storage: str) -> Iterator[None]:
    """Points under way would be another process's; only on this machine is that known."""
    database = _database(storage)
    if database is None:
        yield
        return
    check_storage(storage)
    slug = re.sub(r"[^\w.-]+", "-", name)
    try:
        with FileLock(f"{database}.{slug}.lock", timeout=0):
            yield
    except Timeout:
        raise SearchError(f"`study` {masked(storage)}: another process is at work on {name!r}; wait for it") from None


@contextmanager
def _answering(storage: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, ImportError) as error:
        first = root_cause(error)
        reason = scrubbed((str(first).strip() or type(first).__name__).splitlines()[0], storage)
        raise SearchError(f"`study` {masked(storage)}: the database does not answer ({reason})") from None
