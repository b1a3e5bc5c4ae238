"""Everything MGCL's tables compare, and later methods, on one feature bank (Table 1 and the ablations of Tables 2-5).

python sweeps/full_grid.py [--bank DIR] [--ways 5 10] [--shots 1 5 10] [--variants NAME ...] [--episodes 100] [--plan]
"""

from mgcl.methods.variants import FEW_SHOT
from mgcl.sweep import Sweep, main
from mgcl.tasks import few_shot

ON_REQUEST = ("palm", "clip-adapter", "full-tuned")
"""Rows that `--variants` must name.

The training of the first two takes a multiple of the other later methods' time. The last was searched on development
classes of particular banks.
"""

SWEEP = Sweep(
    name="full_grid",
    draws=few_shot.Draws(ways=(5, 10), shots=(1, 5), episodes=20, queries=15),
    variants=tuple(name for name in FEW_SHOT if name not in ON_REQUEST),
)

if __name__ == "__main__":
    main(SWEEP)
