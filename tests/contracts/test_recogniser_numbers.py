"""Numbers of a few audio-visual rows after a few steps, so that a change of code that changes results is seen."""

import json
from pathlib import Path

import numpy as np
import pytest

from mgcl.catalogue import load
from mgcl.features import FeatureBank
from mgcl.methods.variants import AUDIO_VISUAL
from mgcl.tasks._generalised.substage import Schedule, outputs, probabilities, replay
from tests import recognising

GOLDEN = Path(__file__).with_name("golden_recognisers.json")
ROWS = ("av-diff", "av-gan", "published-quirks", "tcaf", "protogan", "tsl", "hip", "zorro", "mbt", "clip-clap")
"""Between them they use every shared part: encoders, attention, latents, heads, generators, words, windows."""


def numbers(bank: FeatureBank, row: str) -> list[float]:
    """Mean log-probability of the own class over stage 1's validation clips: of base classes, of novel ones."""
    variant = AUDIO_VISUAL[row]
    made = recognising.curriculum(bank, variant.method, **variant.changes)
    of, base = made.stage(1), made.learn_base(1, Schedule(1))
    two = made.substage(1, of, novel=True, state=base.state)
    replay(two, Schedule(1))
    own = probabilities(two, outputs(two, of.tested_rows))[np.arange(len(of.tested_rows)), of.tested_labels]
    is_base = of.tested_labels < of.base
    return [float(np.log(own[which]).mean()) for which in (is_base, ~is_base)]


@pytest.mark.parametrize("row", ROWS)
def test_the_numbers_belong_to_the_version(audio_visual_bank, row) -> None:
    """If this fails, either the change is a mistake, or the recogniser needs a new VERSION and new golden numbers."""
    name = f"{row} {load('method', AUDIO_VISUAL[row].method).VERSION}"
    found, golden = numbers(audio_visual_bank, row), json.loads(GOLDEN.read_text(encoding="utf-8")).get(name)
    assert golden, f"put the numbers of {name!r} into {GOLDEN.name}: {found}"
    assert found == pytest.approx(golden, abs=1e-3)
