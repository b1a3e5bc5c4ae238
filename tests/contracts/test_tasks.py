"""Every task that the catalogue finds keeps the protocol, and nothing outside its own file knows its name."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

import mgcl
from mgcl.catalogue import load, names
from mgcl.features.schema import NAMED
from mgcl.methods.variants import VARIANTS
from mgcl.records import Cell, Trial
from mgcl.tasks import Coordinate, Metric, Words

OLDER_THAN_TASKS = {"few_shot"}
"""Their trials' keys were recorded before keys named a task."""
DRAWN = {
    "few_shot": {"ways": (2, 3), "shots": (1,), "queries": 5, "episodes": 2},
    "generalised": {"shots": (1, 2)},
    "detection": {"medians": (1, 3)},
}
"""What the small bank can give, where the defaults of ``Draws`` are too much or none."""
KEY = re.compile(r"[\w./\- :]+")
"""What MLflow takes for the name of a metric."""
RESERVED = {
    "kind",
    "task",
    "protocol",
    "dataset",
    "revision",
    "backbone",
    "bank",
    "variant",
    "variants",
    "method",
    "version",
    "trial_key",
    "device",
    "stack",
    "host",
    "problems",
    "unconverged",
    "seconds",
    "complete",
    "error",
    "commit",
    "dirty",
    "facts",
    "searched",
    "searches",
    "mgcl_version",
    "row",
}
"""Tags and parameters of every run."""
ROOMS = ("sweep", "tracking", "cluster", "reporting")
PACKAGE = Path(mgcl.__file__).parent


@pytest.fixture(params=names("task"))
def name(request) -> str:
    return request.param


@pytest.fixture
def task(name):
    return load("task", name)


@pytest.fixture
def cells(name, task, bank, audio_visual_bank, zero_shot_bank, phrase_bank):
    banks = (bank, audio_visual_bank, zero_shot_bank, phrase_bank)
    fitting = next(each for each in banks if not each.lacks(task.READS))
    return task.cells(task.Draws(**DRAWN.get(name, {})), fitting)


def test_what_planning_and_reporting_read_is_there(name, task) -> None:
    assert task.Draws.task == name
    assert task.VERSION >= 1
    assert isinstance(task.WORDS, Words)
    assert task.READS
    assert set(task.READS) <= set(NAMED)
    assert all(isinstance(each, Metric) for each in task.METRICS)
    coordinates = [*task.COLUMNS.items(), *task.POOLED.items(), *task.SETTING.items()]
    assert all(isinstance(each, Coordinate) for _, each in coordinates)
    assert len({each for each, _ in coordinates}) == len(coordinates)
    assert not {each for each, _ in coordinates} & RESERVED
    assert all(KEY.fullmatch(each) for metric in task.METRICS for each in (metric.name, *metric.columns))
    assert all(each.metadata["about"] for each in fields(task.Draws))


def test_a_cell_says_where_it_stands_in_the_types_that_a_store_gives_back(task, cells) -> None:
    coordinates = {**task.COLUMNS, **task.POOLED, **task.SETTING}
    assert cells
    for cell in cells:
        assert is_dataclass(cell)
        assert isinstance(cell, Cell)
        place = task.place(cell)
        assert place.keys() == coordinates.keys()
        assert all(coordinates[each].kind(str(value)) == value for each, value in place.items())
        assert KEY.fullmatch(task.column_name([place[each] for each in task.COLUMNS]))
        assert task.work(cell, {"epochs": 20}) > 0
        assert task.heading(place)
        assert task.caption(place, {each: [place[each]] for each in task.POOLED}).endswith(".")


def trial(name: str, task, cell) -> Trial:
    return Trial(name, task.VERSION, "b" * 64, "generated", cell, "zero_shot", 1, {})


def test_every_cell_has_its_own_key_which_names_the_task(name, task, cells) -> None:
    trials = [trial(name, task, cell) for cell in cells]
    assert len({each.key for each in trials}) == len(trials)
    renamed = [replace(each, task="another") for each in trials]
    same = {each.key for each in trials} == {each.key for each in renamed}
    assert same == (name in OLDER_THAN_TASKS)
    assert replace(trials[0], protocol=99).key != trials[0].key


def test_a_task_loads_without_torch(name) -> None:
    code = f"import sys; from mgcl.catalogue import load; load('task', {name!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_room_that_runs_records_or_reports_names_a_task_a_method_or_a_variant() -> None:
    known = {*names("task"), *names("method"), *VARIANTS} - {"mgcl"}  # the package's name too
    quoted = re.compile("|".join(f"[\"'`]{re.escape(each)}[\"'`]" for each in sorted(known)))
    imported = re.compile(r"mgcl\.(tasks|methods\.\w+)\.(?!variants)\w+")
    found = [
        f"{file.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for room in ROOMS
        for file in sorted((PACKAGE / room).rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if quoted.search(line) or imported.search(line)
    ]
    assert not found


WORDS = re.compile(r"\b(folds?|shots?|episodes?|accurac(y|ies))\b", re.IGNORECASE)
"""Of one task: what runs, records, reports and searches takes them from the task. Comments may have them."""
FILES = {"accuracy_figures"}
"""Names of modules."""


def worded(text: str) -> list[str]:
    """Names and strings of a module, but its docstrings, that hold one of ``WORDS``."""
    documented = {
        each.lineno
        for each in ast.walk(ast.parse(text))
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) and isinstance(each.value.value, str)
    }
    return [
        f"{token.start[0]}: {token.string}"
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in (tokenize.NAME, tokenize.STRING)
        and not (token.type == tokenize.STRING and token.start[0] in documented)
        and token.string not in FILES
        and WORDS.search(token.string.replace("_", " "))
    ]


def test_words_are_found() -> None:
    text = '"""Folds."""\nper_shot = 1  # a fold\nsaid = f"{per_shot} Episodes"\n"""An accuracy."""\nways = "shotgun"\n'
    assert worded(text) == ["2: per_shot", '3: f"{per_shot} Episodes"']


@pytest.mark.parametrize("room", [*ROOMS, "search"])
def test_no_room_has_words_of_one_task(room) -> None:
    found = {
        str(file.relative_to(PACKAGE)): worded(file.read_text(encoding="utf-8"))
        for file in (PACKAGE / room).rglob("*.py")
    }
    assert {file: words for file, words in found.items() if words} == {}
