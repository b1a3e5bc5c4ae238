"""A sweep as data, and the trials it comes down to."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgcl.data.episodes import SPLITS, VERSION, check_drawable, pool
from mgcl.data.splits import folds
from mgcl.errors import SweepError
from mgcl.features import FeatureBank
from mgcl.records import SEARCHED, Fold, Setting, Trial, Value
from mgcl.sweep.chosen import Chosen, read_chosen
from mgcl.sweep.variants import VARIANTS, ResolvedVariant, resolve

# A run keeps its episodes' counts in one tag, and MLflow's tags end at 8,000 characters.
TAG_LIMIT = 8000


@dataclass(frozen=True)
class Sweep:
    """All trials of one file in ``sweeps/``. Flags of the command line override any field but the name."""

    name: str
    variants: tuple[str, ...]
    ways: tuple[int, ...]
    shots: tuple[int, ...]
    bank: str | None = None
    """The feature bank's folder; None: the one that every installation can make."""
    episodes: int = 100
    queries: int = 30
    """Query clips a class."""
    seeds: tuple[int, ...] = (0,)
    split: str = "clip"
    """"clip" as in the papers, or "source": no recording both in support and query."""
    folds: int | None = None
    """Seeded class subsets to draw instead of the data set's own; needs ``fold_classes``."""
    fold_classes: int | None = None
    params: str | None = None
    """A file of searched values: variants of its method run with them too, on the folds that they are for."""
    audio_only: bool = False
    """Of a bank without captions, run variants that would read them on audio alone."""


@dataclass(frozen=True)
class Cell:
    """A trial and every variant name that resolves to it."""

    trial: Trial
    variants: tuple[str, ...]


def plan(sweep: Sweep, bank: FeatureBank, only: Sequence[Fold] | None = None) -> tuple[Cell, ...]:
    """Every trial of a sweep but those ``left_out``, in the order of its fields; pure, loads neither torch nor Ray.

    Args:
        sweep: what to run.
        bank: on what.
        only: folds to draw from instead of the sweep's own.

    Raises:
        SweepError: a variant, way, shot or split that the sweep or the bank cannot give.
    """
    _check(sweep)
    header, clips = bank.header, pool(bank.clip_records)
    if sweep.audio_only and bank.captioned:
        raise SweepError("--audio-only is for banks without captions; this one has them: run the variant audio-only")
    variants = {name: resolve(name, audio_only=sweep.audio_only) for name in sweep.variants}
    chosen = read_chosen(Path(sweep.params), bank.digest) if sweep.params else None
    if chosen and (sweep.folds or sweep.fold_classes):
        raise SweepError("--params says which folds its values are for; leave --folds, --fold-classes, --protocol out")
    subsets = only or (chosen.folds if chosen else test_folds(sweep, bank))
    for fold, way, shot in itertools.product(subsets, sweep.ways, sweep.shots):
        check_drawable(clips, fold=fold, way=way, shot=shot, queries=sweep.queries, split=sweep.split)
    cells: dict[str, Cell] = {}
    for (name, variant), way, shot, seed, fold in itertools.product(
        variants.items(), sweep.ways, sweep.shots, sweep.seeds, subsets
    ):
        if shot < variant.least_shots or _lacks(bank, name, variant):
            continue
        for row, parameters in _rows(name, variant, chosen, fold, shot):
            trial = Trial(
                bank=bank.digest,
                dataset=header.dataset,
                fold=fold,
                way=way,
                shot=shot,
                queries=sweep.queries,
                episodes=sweep.episodes,
                seed=seed,
                split=sweep.split,
                protocol=VERSION,
                method=variant.method,
                version=variant.version,
                parameters=parameters,
            )
            names = cells[trial.key].variants if trial.key in cells else ()
            cells[trial.key] = Cell(trial, (*names, row))
    if not cells:
        raise SweepError("; ".join(left_out(sweep, bank)))
    return tuple(cells.values())


def test_folds(asked: Any, bank: FeatureBank) -> tuple[Fold, ...]:
    """The folds that a sweep, or whatever has its ``folds`` and ``fold_classes``, tests on."""
    return folds(bank.header.dataset, pool(bank.clip_records), count=asked.folds, size=asked.fold_classes)


def _rows(
    name: str, variant: ResolvedVariant, chosen: Chosen | None, fold: Fold, shot: int
) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """The rows that a variant gives: as it is, and with what was searched, but for what it is about."""
    yield name, variant.parameters
    if chosen and variant.method == VARIANTS[chosen.variant].method:
        own = VARIANTS[name].changes
        found = {each: value for each, value in chosen.values(fold, shot).items() if each not in own}
        yield f"{name}{SEARCHED}{chosen.name})", {**variant.parameters, **found}


def left_out(sweep: Sweep, bank: FeatureBank) -> tuple[str, ...]:
    """The cells that a sweep asks for and no plan can give, each in words."""
    variants = {name: resolve(name, audio_only=sweep.audio_only) for name in sweep.variants}
    words = [
        f"{name} needs {variant.least_shots} shots: left out at {shot}-shot"
        for (name, variant), shot in itertools.product(variants.items(), sweep.shots)
        if shot < variant.least_shots
    ]
    lacking: dict[str, list[str]] = {}
    for name, variant in variants.items():
        if what := _lacks(bank, name, variant):
            lacking.setdefault(what, []).append(name)
    words += [f"this bank lacks {what}: left out: {', '.join(names)}" for what, names in lacking.items()]
    return tuple(words)


def _lacks(bank: FeatureBank, name: str, variant: ResolvedVariant) -> str:
    """What a bank would need for a variant; empty if it has everything."""
    asked, held = VARIANTS[name].changes.get("explanations"), bank.explanation_embeddings.shape[1]
    if isinstance(asked, int) and asked > held:  # it would be another row under a false name
        return f"{asked} explanations a class (it has {held})"
    if variant.needs_captions and not bank.captioned:
        return "captions (`mgcl caption` writes them; --audio-only does without)"
    if variant.needs_mel_statistics and bank.mel_statistics is None:
        return "mel statistics (`mgcl extract` writes them)"
    return ""


def setting_of(trial: Trial, backbone: str) -> Setting:
    """The table that a trial belongs to."""
    folds = f"{trial.fold.kind} {len(trial.fold.classes)}"
    return Setting(
        dataset=trial.dataset,
        backbone=backbone,
        bank=trial.bank,
        folds=folds,
        split=trial.split,
        protocol=trial.protocol,
        queries=trial.queries,
        episodes=trial.episodes,
    )


def _check(sweep: Sweep) -> None:
    for name in ("variants", "ways", "shots", "seeds"):
        values, flag = getattr(sweep, name), "--seed" if name == "seeds" else f"--{name}"
        if not values:
            raise SweepError(f"{flag} names nothing; give at least one")
        if len(set(values)) < len(values):
            raise SweepError(f"{flag} {' '.join(map(str, values))}: a value stands twice")
    if sweep.split not in SPLITS:
        raise SweepError(f"--split {sweep.split}: choose {' or '.join(SPLITS)}")
    digits = len(str(max(sweep.ways) * sweep.queries)) + 1
    most = TAG_LIMIT // digits
    if not 1 <= sweep.episodes <= most:
        raise SweepError(f"--episodes {sweep.episodes}: choose 1 to {most}; for more, add seeds with --seed")
