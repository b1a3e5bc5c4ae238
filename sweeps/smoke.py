"""Everything end to end in a minute: sounds, bank, Ray, MLflow, report. Too few clips for its figures to mean anything.

python sweeps/smoke.py
"""

from dataclasses import replace

from mgcl.extraction.embedded import make_bank
from mgcl.home import home
from mgcl.sweep import Sweep, main
from mgcl.tasks import few_shot

SWEEP = Sweep(
    name="smoke",
    draws=few_shot.Draws(ways=(5,), shots=(1,), episodes=2, queries=4),
    variants=("full", "audio-only", "without-cache", "zero-shot", "prototypical"),
)

if __name__ == "__main__":
    bank = home() / "banks" / "smoke"
    if not bank.is_dir():
        make_bank(home() / "data" / "smoke", bank, clips=5)
    main(replace(SWEEP, banks=(str(bank),)))
