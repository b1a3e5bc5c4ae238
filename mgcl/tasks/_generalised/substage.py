"""One substage: class-balanced batches, training steps, and, where there is validation, what it finds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mgcl.methods.recogniser import Batch, Training
from mgcl.seeding import generator, seed_of
from mgcl.tasks._generalised.calibration import Probabilities
from mgcl.tasks._generalised.parts import Rows, Stage
from mgcl.tasks._generalised.tokens import Source

_CLIPS_AT_ONCE = 256
_DROP = 0.1
"""Factor of the learning rate where it drops."""

Optimisers = Mapping[str, torch.optim.Optimizer]
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """What stage 1 finds about a substage, and stage 2 replays."""

    epochs: int
    drops: tuple[int, ...] = ()
    """Epochs, counted from 0, after which the learning rate drops to a tenth."""


@dataclass(frozen=True, eq=False)
class Substage:
    """What a substage trains, on what."""

    model: Any
    """As ``mgcl.methods.recogniser.Model``."""
    source: Source
    stage: Stage
    words: torch.Tensor
    training: Training
    novel: bool
    """Whether this is the second substage: the trunk is frozen, and batches of base and of novel classes alternate."""
    identity: tuple[object, ...]
    """What batches, dropout and noise are drawn for; it does not name the method, so that rows see the same batches."""

    @property
    def rows(self) -> Rows:
        """Rows that it trains on: those of base classes, then the shots."""
        return np.concatenate([self.stage.base_rows, self.stage.novel_rows]) if self.novel else self.stage.base_rows

    @property
    def labels(self) -> Rows:
        """Labels of ``rows``."""
        labels = self.stage.base_labels, self.stage.novel_labels
        return np.concatenate(labels) if self.novel else labels[0]


@dataclass(frozen=True)
class Explored:
    """What the validation of a substage found."""

    schedule: Schedule
    """Up to the best epoch, the first of several."""
    best: Any
    """What ``judge`` returned for the best epoch."""
    last: Any
    """What it returned for the last epoch."""


def explore(substage: Substage, epochs: int, judge: Callable[[], tuple[float, Any]]) -> Explored:
    """Train for the given epochs with validation after each, and leave the model as it was after the best one.

    Args:
        substage: what is trained.
        epochs: number of epochs.
        judge: returns a figure, the higher the better, and what else is worth keeping of the epoch.
    """
    training = substage.training
    with _training(substage) as (epoch, optimisers):
        plateaus = [
            ReduceLROnPlateau(each, "max", factor=_DROP, patience=training.patience)
            for each in (optimisers.values() if training.plateau else ())
        ]
        found: list[tuple[float, Any]] = []
        drops, best, state = [], 0, {}
        for number in range(epochs):
            epoch()
            found.append(judge())
            if number == 0 or found[number][0] > found[best][0]:
                best, state = number, deepcopy(substage.model.state_dict())
            before = _rates(optimisers)
            for each in plateaus:
                each.step(found[number][0])
            if _rates(optimisers) != before:
                drops.append(number)
    substage.model.load_state_dict(state)
    kept = tuple(drop for drop in drops if drop < best)
    return Explored(Schedule(best + 1, kept), found[best][1], found[-1][1])


def replay(substage: Substage, schedule: Schedule) -> None:
    """Train as the schedule says, without validation."""
    with _training(substage) as (epoch, optimisers):
        for number in range(schedule.epochs):
            epoch()
            if number in schedule.drops:
                for group in (group for each in optimisers.values() for group in each.param_groups):
                    group["lr"] *= _DROP


def probabilities(substage: Substage, embedded: torch.Tensor) -> Probabilities:
    """Softmax of the model's scores in eval mode, in float64, shape (clips, classes).

    Raises:
        FloatingPointError: a score is not a number.
    """
    substage.model.eval()
    with torch.no_grad():
        scores = substage.model.scores(embedded, substage.words).double()
    if scores.isnan().any() or scores.isposinf().any():
        raise FloatingPointError("a score is not finite")
    found: Probabilities = scores.softmax(-1).cpu().numpy()
    return found


def outputs(substage: Substage, rows: Rows) -> torch.Tensor:
    """Output of the trunk in eval mode for clips of the bank, shape (clips, e)."""
    substage.model.eval()
    parts = [rows[start : start + _CLIPS_AT_ONCE] for start in range(0, len(rows), _CLIPS_AT_ONCE)]
    with torch.no_grad():
        return torch.cat([substage.model.embed(substage.source.clips(part)) for part in parts])


def balanced(random: np.random.Generator, labels: Rows, size: int) -> Iterator[Rows]:
    """Yield batches of positions, without end. Every class is as likely as any other, and every clip of a class.

    Args:
        random: source of the draws.
        labels: labels in rising order.
        size: positions per batch.
    """
    _, starts, counts = np.unique(labels, return_index=True, return_counts=True)
    while True:
        drawn = random.integers(len(starts), size=size)
        yield starts[drawn] + random.integers(counts[drawn])


@contextmanager
def _training(substage: Substage) -> Iterator[tuple[Callable[[], None], Optimisers]]:
    """Yield a function that trains one epoch, and the optimisers; seeds torch within the block."""
    model, device, training = substage.model, substage.source.device, substage.training
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed_of("dropout", *substage.identity))
        noise = torch.Generator(device).manual_seed(seed_of("noise", *substage.identity))
        for weight in model.trunk.parameters():
            weight.requires_grad_(not substage.novel)
        optimisers = {
            name: torch.optim.Adam(
                [each for each in weights if each.requires_grad],
                lr=training.learning_rate,
                weight_decay=training.weight_decay,
                fused=True,
            )
            for name, weights in model.groups().items()
        }
        embed = _embedder(substage)
        parts = [each for each in _parts(substage) if training.batches]
        labels = torch.from_numpy(substage.labels).to(device)

        def epoch() -> None:
            model.train()
            model.trunk.train(not substage.novel or training.frozen_mode == "train")
            for _ in range(training.batches):
                for novel, batches in parts:
                    drawn = next(batches)
                    at = torch.from_numpy(drawn).to(device)
                    _step(model, optimisers, Batch(embed(drawn), labels[at], substage.words, novel, noise))

        yield epoch, optimisers


def _parts(substage: Substage) -> list[tuple[bool, Iterator[NDArray[np.intp]]]]:
    """Whether a part's classes are novel, and its batches of positions in ``Substage.rows``."""
    size, base = substage.training.batch_size, substage.stage.base_labels
    of_base = balanced(generator("base batches", *substage.identity), base, size)
    if not substage.novel:
        return [(False, of_base)]
    novel = balanced(generator("novel batches", *substage.identity), substage.stage.novel_labels, size)
    return [(False, of_base), (True, (len(base) + each for each in novel))]


def _embedder(substage: Substage) -> Callable[[Rows], torch.Tensor]:
    """Return the function from positions in ``Substage.rows`` to the trunk's outputs.

    A frozen trunk in eval mode is run once per clip.
    """
    model, rows, observe = substage.model, substage.rows, getattr(substage.model, "observe", None)
    frozen = substage.novel and substage.training.frozen_mode == "eval"
    if frozen or observe:
        kept = outputs(substage, rows)
        if observe:
            observe(kept, torch.from_numpy(substage.labels).to(kept.device))
        if frozen:
            return lambda drawn: kept[torch.from_numpy(drawn).to(kept.device)]
    windows = generator("windows", *substage.identity)

    def embed(drawn: Rows) -> torch.Tensor:
        embedded: torch.Tensor = model.embed(substage.source.clips(rows[drawn], windows))
        return embedded

    return embed


def _step(model: Any, optimisers: Optimisers, batch: Batch) -> None:
    for group, loss in model.losses(batch):
        optimisers[group].zero_grad()
        loss.backward()
        optimisers[group].step()


def _rates(optimisers: Optimisers) -> list[float]:
    return [group["lr"] for each in optimisers.values() for group in each.param_groups]
