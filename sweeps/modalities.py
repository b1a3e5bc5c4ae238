"""AV-DIFF Table 5: what each modality is worth; and two plain rows that see both, but no time.

python sweeps/modalities.py [--bank DIR] [--shots 5] [--seed 0 1 2] [--draws 3] [--plan]
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import generalised

SWEEP = Sweep(
    name="modalities",
    draws=generalised.Draws(shots=(1, 5, 10)),
    variants=("av-diff", "audio", "video", "linear-probe", "prototypes"),
    reference="av-diff",
    baselines=("linear-probe",),
)

if __name__ == "__main__":
    main(SWEEP)
