"""Pictures of a study, drawn by Optuna, and the importances of its parameters."""

import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import Study

from mgcl.reporting.drawing import palette
from mgcl.search.study import complete

# With fewer points importances mean nothing.
LEAST_POINTS = 10
# Number of parameters with contours: every pair of them needs a panel.
_CONTOURED = 3


def importances(study: Study) -> Mapping[str, float]:
    """Parameter -> share of the variance that it explains, in 0..1 (fANOVA, Hutter et al. 2014).

    It is empty if there are fewer than ``LEAST_POINTS`` complete points, or if all have the same value.
    """
    points = complete(study)
    if len(points) < LEAST_POINTS or len({point.value for point in points}) == 1:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def draw(study: Study, folder: Path, prefix: str) -> list[Path]:
    """Write pictures of history and slices, and, if there are ``importances``, of importances and contours.

    Args:
        study: a study with complete points.
        folder: an existing folder.
        prefix: prefix of the files' names.

    Returns:
        Paths of the png files.
    """
    mpl.use("Agg")
    from optuna.visualization import matplotlib as optuna_plots

    drawn: dict[str, Callable[[], Any]] = {
        "history": lambda: optuna_plots.plot_optimization_history(study),
        "slices": lambda: optuna_plots.plot_slice(study),
    }
    if shares := importances(study):
        names = list(shares)[:_CONTOURED]
        evaluator = FanovaImportanceEvaluator(seed=0)
        drawn["importances"] = lambda: optuna_plots.plot_param_importances(study, evaluator=evaluator)
        if len(names) > 1:
            drawn["contours"] = lambda: optuna_plots.plot_contour(study, params=names)
    return [_save(each, folder / f"{prefix}-{name}.png") for name, each in drawn.items()]


def _save(draw_it: Callable[[], Any], file: Path) -> Path:
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        axes = np.ravel(draw_it())
    figure = axes[0].figure
    rows = len({axis.get_subplotspec().rowspan.start for axis in axes})
    figure.set_size_inches(max(8, 3.5 * len(axes) / rows), max(5, 3.5 * rows))
    png = io.BytesIO()
    figure.savefig(png, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    file.write_bytes(palette(png.getvalue()))
    return file
