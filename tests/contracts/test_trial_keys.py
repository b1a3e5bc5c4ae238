"""Trial keys that earlier commits recorded stay the same: with other keys, every store would read as not yet run."""

import json
import sqlite3
from pathlib import Path

import pytest

from mgcl.features import FeatureBank
from mgcl.methods.resolved import resolve
from mgcl.methods.variants import FEW_SHOT
from mgcl.records import Fold, Trial
from mgcl.sweep.grid import plan
from tests.cases import sweep
from tests.cases import trial as few_shot_trial

GOLDEN = Path(__file__).with_name("golden_trial_keys.json")
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "bb33c7b" / "store" / "mlflow.db"


def trial(variant: str, *, audio_only: bool = False) -> Trial:
    resolved = resolve(variant, audio_only=audio_only)
    return few_shot_trial(
        bank="0" * 64,
        dataset="esc50",
        fold=Fold("published", 3, ("dog", "rain", "siren", "vacuum_cleaner", "wind")),
        way=5,
        shot=2,
        queries=30,
        episodes=100,
        seed=7,
        split="source",
        protocol=1,
        method=resolved.method,
        version=resolved.version,
        parameters=resolved.parameters,
    )


def test_every_variant_has_the_key_that_was_recorded() -> None:
    keys = {name: trial(name).key for name in FEW_SHOT}
    keys |= {f"{name} --audio-only": trial(name, audio_only=True).key for name in FEW_SHOT}
    golden = json.loads(GOLDEN.read_text())
    assert {name: keys.get(name) for name in golden} == golden


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"{RECORDED} is not here")
def test_a_plan_has_the_keys_of_the_store_that_the_same_command_wrote(real_bank: FeatureBank) -> None:
    asked = sweep("full_grid", tuple(FEW_SHOT), ways=(5,), shots=(1, 5), episodes=3, queries=10)
    with sqlite3.connect(f"file:{RECORDED}?mode=ro&immutable=1", uri=True) as store:
        recorded = {key for (key,) in store.execute("SELECT value FROM tags WHERE key = 'trial_key'")}
    assert recorded
    assert recorded <= {cell.trial.key for cell in plan(asked, real_bank)}
