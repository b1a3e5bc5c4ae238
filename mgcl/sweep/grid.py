"""Sweeps as data, and their planning into trials."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from mgcl.catalogue import load, names
from mgcl.errors import SweepError
from mgcl.features import FeatureBank
from mgcl.features.schema import NAMED
from mgcl.methods.resolved import ResolvedVariant, resolve
from mgcl.methods.variants import BASELINES, REFERENCE, VARIANTS
from mgcl.parameters import from_flat
from mgcl.records import Cell, PlannedTrial, Searched, Trial, Value
from mgcl.sweep.chosen import Chosen, read_chosen
from mgcl.tasks import Draws, Task


@dataclass(frozen=True)
class Sweep:
    """Specification of a sweep, as in the files of ``sweeps/``. Command-line flags can override most fields."""

    name: str
    draws: Draws
    """Draws of the sweep's task; their type determines the task."""
    variants: tuple[str, ...]
    banks: tuple[str, ...] = ()
    """Folders of feature banks; (): the default bank, which every installation can make."""
    reference: str = REFERENCE
    """Row that a report compares the others with."""
    baselines: tuple[str, ...] = BASELINES
    """Rows that pictures show beside the reference; the reference's gain is measured from the first."""
    params: tuple[str, ...] = ()
    """Files of searched values. A row also runs with the values of its own file or, without one, with those of a row of
    its method; all rows run on the tests that the values are for."""
    settings: str | None = None
    """Name of settings of the task that replace the variants' own values; see the tasks' protocol ``Configured``."""
    audio_only: bool = False
    """On banks without captions, run variants that need captions on audio only."""

    @property
    def task(self) -> Task:
        """Task of the draws."""
        task: Task = load("task", self.draws.task)
        return task


def plan(sweep: Sweep, bank: FeatureBank, only: Sequence[Any] | None = None) -> tuple[PlannedTrial, ...]:
    """All trials of a sweep on one bank except those ``left_out``, by variant and then by cell.

    The function is pure, and loads neither torch nor Ray.

    Args:
        sweep: the sweep.
        bank: the feature bank.
        only: tests or validation sets that the task draws from instead of the sweep's; see ``Task.cells``.

    Raises:
        SweepError: a value of the sweep is unknown, repeated, missing or at odds with the bank; the bank cannot provide
            its cells; or no trial is left.
    """
    _check(sweep)
    if sweep.audio_only and bank.captioned:
        raise SweepError("`audio_only` is for banks without captions; this one has them: run the variant audio-only")
    variants = {name: resolve(name, audio_only=sweep.audio_only) for name in sweep.variants}
    chosen = _chosen(sweep, bank)
    cells = sweep.task.cells(sweep.draws, bank, only or _tests(chosen))
    planned: dict[str, PlannedTrial] = {}
    for name, variant in variants.items():
        if not _runs(sweep, variant) or _lacks(sweep, bank, name):
            continue
        for cell in cells:
            if sweep.task.unfit(cell, variant.settings):
                continue
            variant_of_cell = _configured(sweep, name, variant, bank, cell)
            for row, parameters, search in _rows(name, variant_of_cell, chosen, cell):
                trial = Trial(
                    task=sweep.draws.task,
                    protocol=sweep.task.VERSION,
                    bank=bank.digest,
                    dataset=bank.header.dataset,
                    cell=cell,
                    method=variant.method,
                    version=variant.version,
                    parameters=parameters,
                )
                known = planned.get(trial.key, PlannedTrial(trial, ()))
                # With settings a row's values differ from column to column by design, as searched ones do.
                searched = {**known.searched, **({row: name} if search or sweep.settings else {})}
                searches = {**known.searches, **({row: search} if search else {})}
                planned[trial.key] = PlannedTrial(trial, (*known.variants, row), searched, searches)
    if not planned:
        raise SweepError("; ".join(left_out(sweep, bank)))
    return tuple(planned.values())


def _chosen(sweep: Sweep, bank: FeatureBank) -> tuple[Chosen, ...]:
    return tuple(read_chosen(Path(file), bank.digest, sweep.draws.task) for file in sweep.params)


def _tests(chosen: Sequence[Chosen]) -> tuple[Any, ...] | None:
    """Tests that searched values are for; None: nothing was searched."""
    return tuple(dict.fromkeys(test for each in chosen for test in each.tests)) or None


def _configured(sweep: Sweep, name: str, variant: ResolvedVariant, bank: FeatureBank, cell: Cell) -> ResolvedVariant:
    """The variant with the sweep's settings for the bank's data set and a cell, but for what the variant changes."""
    if not sweep.settings:
        return variant
    given = _settings(sweep)[sweep.settings](bank.header.dataset, cell)
    method, known = load("method", variant.method), variant.parameters
    own = {*VARIANTS[name].changes, *getattr(method, "FIXED", ())}
    values = {**known, **{each: value for each, value in given.items() if each in known and each not in own}}
    try:
        return replace(variant, settings=from_flat(method.Parameters, values))
    except ValueError as error:
        raise SweepError(f"`settings` {sweep.settings}, variant {name!r}: {error}") from None


def _settings(sweep: Sweep) -> Mapping[str, Callable[[str, Cell], Mapping[str, Value]]]:
    found: Mapping[str, Callable[[str, Cell], Mapping[str, Value]]] = getattr(sweep.task, "SETTINGS", {})
    return found


def _rows(
    name: str, variant: ResolvedVariant, chosen: Sequence[Chosen], cell: Cell
) -> Iterator[tuple[str, Mapping[str, Value], Searched | None]]:
    """Rows of a variant with their parameters, its own and then searched ones with their search.

    A parameter that the variant itself changes keeps its own value, because the variant is about it.
    """
    yield name, variant.parameters, None
    alike = [each for each in chosen if VARIANTS[each.variant].method == variant.method]
    for each in [each for each in alike if each.variant == name] or alike:
        choice, own = each.choice(cell), VARIANTS[name].changes
        found = {key: value for key, value in choice.values.items() if key not in own}
        search = Searched(choice.points, tuple(found))
        yield f"{name} (searched {each.name})", {**variant.parameters, **found}, search


def left_out(sweep: Sweep, bank: FeatureBank) -> tuple[str, ...]:
    """Sentences on the variants and cells of a sweep that ``plan`` leaves out, with the reasons."""
    variants = {name: resolve(name, audio_only=sweep.audio_only) for name in sweep.variants}
    chosen = _chosen(sweep, bank)
    cells = sweep.task.cells(sweep.draws, bank, _tests(chosen))
    words = [
        f"{name} {unfit}"
        for name, variant in variants.items()
        if _runs(sweep, variant)
        for cell in cells
        if (unfit := sweep.task.unfit(cell, variant.settings))
    ]
    if strange := [name for name, variant in variants.items() if not _runs(sweep, variant)]:
        words.append(f"of another task: left out: {', '.join(strange)}")
    lacking: dict[str, list[str]] = {}
    for name in variants:
        if name not in strange and (what := _lacks(sweep, bank, name)):
            lacking.setdefault(what, []).append(name)
    words += [f"this bank lacks {what}: left out: {', '.join(names)}" for what, names in lacking.items()]
    return tuple(dict.fromkeys(words))


def _runs(sweep: Sweep, variant: ResolvedVariant) -> bool:
    """Whether the sweep's task runs methods of the variant's kind."""
    return any(variant.method in names("method", folder) for folder in sweep.task.METHODS)


def _lacks(sweep: Sweep, bank: FeatureBank, name: str) -> str:
    """What a bank lacks for a variant, in words; empty if it lacks nothing."""
    variant = resolve(name, audio_only=sweep.audio_only)
    if missing := bank.lacks((*sweep.task.READS, *variant.reads)):
        bare = resolve(name, audio_only=True)
        hint = "; `audio_only` does without" if not bank.lacks((*sweep.task.READS, *bare.reads)) else ""
        return ", ".join(f"{column} ({NAMED[column].mend}{hint})" for column in missing)
    asked = VARIANTS[name].changes.get("explanations")
    if isinstance(asked, int) and asked > (held := bank.floats("explanations").shape[1]):
        return f"{asked} explanations a class (it has {held})"  # with fewer explanations the row's name would be wrong
    return ""


def _check(sweep: Sweep) -> None:
    if sweep.settings and sweep.settings not in _settings(sweep):
        known = ", ".join(_settings(sweep)) or "none"
        raise SweepError(f"`settings` {sweep.settings}: this task has {known}")
    if sweep.settings and sweep.params:
        raise SweepError("`settings` and `params` both replace the methods' values; leave one out")
    named = {"variants": sweep.variants, **({"params": sweep.params} if sweep.params else {})}
    lists = {**named, **{each.name: getattr(sweep.draws, each.name) for each in fields(sweep.draws)}}
    for name, values in lists.items():
        if not isinstance(values, tuple):
            continue
        if not values:
            raise SweepError(f"`{name}` names nothing; give at least one")
        if len(set(values)) < len(values):
            raise SweepError(f"`{name}` {' '.join(map(str, values))}: a value stands twice")
