"""AV-DIFF Table 2: ten baselines beside it, a later row and two plain ones, on the same draws.

python sweeps/audio_visual.py [--bank DIR ...] [--shots 1 5 10 20] [--seed 0 1 2] [--draws 3] [--plan]
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import generalised

SWEEP = Sweep(
    name="audio_visual",
    draws=generalised.Draws(shots=(1, 5, 10)),
    variants=(
        "av-diff",
        "attention-fusion",
        "perceiver",
        "mbt",
        "tcaf",
        "protogan",
        "sldg",
        "tsl",
        "hip",
        "zorro",
        "avca",
        "clip-clap",
        "linear-probe",
        "prototypes",
    ),
    reference="av-diff",
    baselines=("avca", "tcaf", "linear-probe"),
)

if __name__ == "__main__":
    main(SWEEP)
