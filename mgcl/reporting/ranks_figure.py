"""Picture of mean ranks with their critical difference (Demšar 2006), with room for many rows."""

from matplotlib import style

from mgcl.reporting.drawing import LOOKS, STYLE, canvas, finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted, width
from mgcl.reporting.ranks import Ranking


def critical_difference(found: Ranking | None) -> Figure | None:
    """Draw one line per row: its mean rank, and half the critical difference to each side.

    Returns:
        The picture; None if the ranks are not tested.
    """
    if found is None or not found.tested:
        return None
    ranks, best = found.ranks, float(found.ranks.iloc[0])
    names = [fitted(row, 2.2) for row in ranks.index]
    with style.context(["default", STYLE]):
        drawn = canvas(5 + max(map(width, names)), 1 + 0.2 * len(names))
        axes = drawn.subplots()
        axes.errorbar(
            ranks, range(len(names)), xerr=found.critical_difference / 2, fmt="o", markersize=4, color="black"
        )
        axes.axvspan(best, best + found.critical_difference, color=LOOKS[1].color, alpha=0.15, linewidth=0)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("mean rank, 1 is the best")
        caption = (
            "Mean ranks. Rows whose lines do not overlap differ by Nemenyi's test (95 %). Shaded: rows that it does "
            "not tell apart from the best."
        )
        return finish("mean-ranks", caption, drawn)
