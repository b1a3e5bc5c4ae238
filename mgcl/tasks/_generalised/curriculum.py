"""Two stages of two substages (AV-DIFF section 3.1): stage 1 chooses on validation classes, stage 2 is tested.

Substage 1 learns base classes, substage 2 base and novel ones with a frozen trunk. Substage 1 does not depend on the
shots. Stage 2 has one substage 1, and one substage 2 for each draw of the novel classes' shots.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch

from mgcl.details import Confusion, Samples, Tradeoff
from mgcl.methods.recogniser import Recogniser, Shapes, Training
from mgcl.parameters import flat
from mgcl.seeding import seed_of
from mgcl.tasks import Measured, Setup
from mgcl.tasks._generalised.calibration import GAMMAS, Probabilities, Recalls, calibrated, recalls
from mgcl.tasks._generalised.kept import Learned, kept
from mgcl.tasks._generalised.parts import Stage, stage
from mgcl.tasks._generalised.samples import samples
from mgcl.tasks._generalised.substage import Schedule, Substage, explore, outputs, probabilities, replay
from mgcl.tasks._generalised.tokens import Source
from mgcl.tasks._generalised.words import word_vectors


@dataclass(frozen=True)
class Found:
    """What stage 1 chose."""

    base: Schedule
    novel: Schedule
    gamma: float
    recalls: Recalls
    """Of stage 1's validation clips, at the best epoch with its own gamma."""
    seconds: float = field(compare=False)
    """Seconds of training, and of validation after each epoch."""


@dataclass(frozen=True)
class Tested:
    """Result of one draw of stage 2."""

    recalls: Recalls
    confusion: Confusion
    tradeoff: Tradeoff
    samples: Samples | None
    """What the model synthesises, of the first draw alone; None: nothing."""
    parameters: int
    """Number of trained weights of the model, a critic's among them."""
    seconds: float
    """Seconds of training."""


@dataclass(frozen=True, eq=False)
class Curriculum:
    """A trial's recogniser and data."""

    setup: Setup

    @property
    def training(self) -> Training:
        """How the recogniser is trained."""
        return cast(Training, self.setup.parameters.training)

    @cached_property
    def source(self) -> Source:
        """Tokens as the recogniser sees them."""
        return Source(self.setup.bank, self.setup.parameters.inputs, self.setup.device)

    def stage(self, number: int, draw: int = 0) -> Stage:
        """Clips of a stage, with the shots of a draw."""
        cell = self.setup.trial.cell
        return stage(self.setup.bank, number, shot=cell.shot, identity=(cell.seed, number, draw))

    def substage(self, number: int, of: Stage, *, novel: bool, draw: int = 0, state: Any = None) -> Substage:
        """A substage with a new model, initialised by seed or from a state."""
        parameters = self.setup.parameters
        kind = getattr(parameters, "words", None)
        if kind in ("own", "permuted") and "word_vector" not in parameters.reads:
            kind = None
        words = word_vectors(kind, self.source, of, novel=novel)
        audio, video = self.source.dim("audio"), self.source.dim("video")
        shapes = Shapes(audio, video, words.shape[-1], len(of.classes))
        identity = (self.setup.trial.dataset, self.setup.trial.cell.seed, number, draw, 2 if novel else 1)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed_of("initialisation", *identity[:3]))
            model = cast(Recogniser, self.setup.method).build(shapes, parameters).to(self.source.device)
        if state is not None:
            model.load_state_dict(state)
        return Substage(model, self.source, of, words, self.training, novel, identity)

    def learn_base(self, number: int, schedule: Schedule | None = None) -> Learned:
        """Substage 1 of a stage: explored on validation clips of base classes, or replayed."""

        def compute() -> Learned:
            one, seconds = self.substage(number, of, novel=False), self.stopwatch()
            if schedule:
                replay(one, schedule)
                return Learned(one.model.state_dict(), schedule, seconds())
            tested = of.tested_labels < of.base
            rows, labels = of.tested_rows[tested], of.tested_labels[tested]

            def judge() -> tuple[float, None]:
                answers = probabilities(one, outputs(one, rows)).argmax(-1)
                right = np.bincount(labels, answers == labels) / np.bincount(labels)
                return float(right.mean()), None

            explored = explore(one, self.training.base_epochs, judge)
            return Learned(one.model.state_dict(), explored.schedule, seconds())

        of, trial = self.stage(number), self.setup.trial
        identity = {
            "task": (trial.task, trial.protocol),
            "method": (trial.method, trial.version, flat(self.setup.parameters)),
            "bank": trial.bank,
            "seed": trial.cell.seed,
            "stage": number,
            "schedule": flat(schedule) if schedule else None,
            "arithmetic": (torch.__version__, self.source.device.type),
        }
        return kept(self.setup.kept, identity, compute)

    def choose(self, draw: int = 0) -> Found:
        """Stage 1: epochs, drops of the learning rate, and gamma, with one draw of its novel classes' shots."""
        base = self.learn_base(1)
        of, seconds = self.stage(1, draw), self.stopwatch()
        two = self.substage(1, of, novel=True, draw=draw, state=base.state)
        tested = outputs(two, of.tested_rows) if self.training.frozen_mode == "eval" else None

        def judge() -> tuple[float, tuple[float, Recalls]]:
            embedded = outputs(two, of.tested_rows) if tested is None else tested
            gamma, found = calibrated(probabilities(two, embedded), of.tested_labels, of.base)
            return found.harmonic, (gamma, found)

        explored = explore(two, self.training.novel_epochs, judge)
        gamma, found = explored.best
        if self.training.gamma == "last":
            gamma, _ = explored.last
        return Found(base.schedule, explored.schedule, gamma, found, base.seconds + seconds())

    def test(self, found: Found, draw: int, state: Any) -> Tested:
        """Substage 2 of stage 2 for one draw of shots, and its test."""
        of, seconds = self.stage(2, draw), self.stopwatch()
        two = self.substage(2, of, novel=True, draw=draw, state=state)
        replay(two, found.novel)
        took = seconds()
        embedded = outputs(two, of.tested_rows)
        seen = probabilities(two, embedded)
        return Tested(
            recalls(seen, of.tested_labels, of.base, found.gamma),
            _confusion(seen, of, found.gamma),
            _tradeoff(seen, of, found.gamma),
            None if draw else samples(two, embedded),
            sum(each.numel() for weights in two.model.groups().values() for each in weights),
            took,
        )

    def stopwatch(self) -> Callable[[], float]:
        """Start a clock, and return the function that reads it: processor seconds, or those that pass on a GPU."""
        clock = time.process_time if self.source.device.type == "cpu" else time.perf_counter
        began = clock()
        return lambda: clock() - began


def run(setup: Setup) -> Measured:
    """Choose in stage 1, train and test in stage 2."""
    curriculum = Curriculum(setup)
    found = curriculum.choose()
    base = curriculum.learn_base(2, found.base)
    tested = [curriculum.test(found, draw, base.state) for draw in range(setup.trial.cell.draws)]
    return Measured(
        _scores([each.recalls for each in tested]),
        confusions=tuple(each.confusion for each in tested),
        tradeoffs=tuple(each.tradeoff for each in tested),
        samples=tested[0].samples,
        facts={
            "parameters": tested[0].parameters,
            "training seconds": found.seconds + base.seconds + sum(each.seconds for each in tested),
        },
    )


def validate(setup: Setup) -> Measured:
    """Stage 1 alone, as a search judges it: recalls of its validation clips, once per draw of its novel classes."""
    curriculum = Curriculum(setup)
    return Measured(_scores([curriculum.choose(draw).recalls for draw in range(setup.trial.cell.draws)]))


def _scores(found: Sequence[Recalls]) -> dict[str, tuple[float, ...]]:
    return {
        "base": tuple(each.base for each in found),
        "novel": tuple(each.novel for each in found),
        "fsl": tuple(each.alone for each in found),
        "hm of a draw": tuple(each.harmonic for each in found),
    }


def _confusion(seen: Probabilities, of: Stage, gamma: float) -> Confusion:
    classes = len(of.classes)
    answers = (seen - gamma * (np.arange(classes) < of.base)).argmax(-1)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (of.tested_labels, answers), 1)
    kinds = tuple("base" if index < of.base else "novel" for index in range(classes))
    return Confusion(of.classes, tuple(tuple(map(int, row)) for row in counts), kinds)


def _tradeoff(seen: Probabilities, of: Stage, taken: float) -> Tradeoff:
    """Recalls of test clips at every gamma, for a picture; nothing is chosen by them."""
    found = [recalls(seen, of.tested_labels, of.base, gamma) for gamma in GAMMAS]
    return Tradeoff("gamma", GAMMAS, taken, ("base", "novel"), tuple((each.base, each.novel) for each in found))
