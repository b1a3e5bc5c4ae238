"""Studies in a database, so that their points outlive the process."""

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
"""Attribute with the error of a point that failed by its own fault; the point counts, as a bad one."""


# Optuna's attribute of a point that was enqueued, not proposed by a sampler.
_GIVEN = "fixed_params"


def default_storage() -> str:
    """Address of the default database, a SQLite file in ``MGCL_HOME``."""
    return f"sqlite:///{home() / 'studies.db'}"


@contextmanager
def open_study(question: Question, storage: str) -> Iterator[Study]:
    """Open the study of a question for this process only, creating it if it is new.

    Points that a killed process left running are marked as failed, and proposed again.

    Raises:
        SearchError: the study has another identity, another process is running it, or its database does not open.
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
    """Number of points of a study that count as ``ended``; 0 if there is no such study."""
    with _answering(storage):
        file = _database(storage)
        if file and not file.exists():
            return 0
        known = {each.study_name for each in optuna.get_all_study_summaries(get_storage(storage))}
        return len(ended(optuna.load_study(study_name=question.name, storage=storage))) if question.name in known else 0


def ended(study: Study) -> list[FrozenTrial]:
    """Points that count: complete, stopped early, or failed by their own fault."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def complete(study: Study) -> list[FrozenTrial]:
    """Complete points, which have a value."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def figure_of(point: FrozenTrial) -> float:
    """Mean validation figure of a complete point, unscaled (an accuracy is in 0..1).

    Raises:
        ValueError: the point is not complete.
    """
    if point.value is None:
        raise ValueError(f"point {point.number} is not complete")
    return point.value


def best(study: Study) -> FrozenTrial:
    """Best complete point; the first of equal ones.

    Raises:
        SearchError: no point is complete.
    """
    if not (points := complete(study)):
        raise SearchError(f"study {study.study_name!r}: no point is complete; run it with more `trials`")
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    return max(points, key=lambda point: (sign * figure_of(point), -point.number))


def default_point(study: Study, question: Question) -> FrozenTrial | None:
    """Point with the variant's own values, with which a study begins if they lie in its space.

    Returns:
        The point; None if the study has no such point or it is not complete.
    """
    given = (point for point in complete(study) if point.system_attrs.get(_GIVEN) == question.default)
    return next(given, None)


def check_storage(storage: str) -> None:
    """Check, before anything else is made, that studies can be stored in a database.

    Raises:
        SearchError: the database is in memory and ends with the process, or it cannot be written.
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
    """Lock for making the tables of a SQLite file, so that other processes that open the new file wait."""
    file = _database(storage)
    return FileLock(f"{file}.lock") if file else nullcontext()


@contextmanager
def _alone(name: str, storage: str) -> Iterator[None]:
    """Lock a study against other processes, whose running points would otherwise be marked as failed.

    Only SQLite files are locked, and only against processes of this machine.
    """
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
