"""Zero-shot tasks of one or several banks: classification, several labels, detection, grounding, and retrieval.

python sweeps/zero_shot.py [--bank DIR DIR ...] [--tasks zero_shot multi_label detection grounding retrieval] [--plan]

Every task runs on the banks that have what it reads: labels, events or captions. A bank is one backbone's, so that
several banks of one data set compare backbones. The rows are prompt sets: the bank's own prompts, the mean of its
explanations, and the published sets that the bank was extracted with (`mgcl extract --prompt-sets`).
"""

from mgcl.language.prompt_sets import PROMPT_SETS
from mgcl.sweep import Sweep, main_of
from mgcl.tasks import detection, grounding, multi_label, retrieval, zero_shot

PUBLISHED = tuple(f"{name}-prompt" for name in PROMPT_SETS)
ROWS = ("zero-shot", "explanations-mean", *PUBLISHED)

SWEEPS = (
    Sweep("zero_shot", zero_shot.Draws(), ("zero-shot", *PUBLISHED), reference="zero-shot", baselines=()),
    Sweep("multi_label", multi_label.Draws(), ROWS, reference="zero-shot", baselines=()),
    Sweep("detection", detection.Draws(), ROWS, reference="zero-shot", baselines=()),
    Sweep("grounding", grounding.Draws(), ROWS, reference="zero-shot", baselines=()),
    Sweep("retrieval", retrieval.Draws(), ("cosine",), reference="cosine", baselines=()),
)

if __name__ == "__main__":
    main_of(SWEEPS)
