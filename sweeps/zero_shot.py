"""Zero-shot accuracy over all clips of one or several feature banks, by prompts and by explanations.

python sweeps/zero_shot.py [--bank DIR DIR ...] [--texts prompt explanations] [--plan]
"""

from mgcl.sweep import Sweep, main
from mgcl.tasks import zero_shot

SWEEP = Sweep(
    name="zero_shot",
    draws=zero_shot.Draws(),
    variants=("zero-shot",),
    reference="zero-shot",
    baselines=(),
)

if __name__ == "__main__":
    main(SWEEP)
