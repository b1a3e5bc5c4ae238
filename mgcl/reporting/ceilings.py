"""What the data of a table allow: figures of perfect recognisers that perceive a part of them, as rows."""

from mgcl.reporting.blocks import Block, plain
from mgcl.reporting.tables import Table


def blocks(table: Table) -> list[Block]:
    """Section with the ceilings of a table's data set; empty if its task does not know them."""
    count = getattr(table.task, "ceilings", None)
    revisions = {run.revision for run in table.runs}
    if count is None or not table.ranked or len(revisions) != 1:
        return []
    found = count(table.setting.dataset, *revisions)
    if not found:
        return []
    heads = list(next(iter(found.values())))
    rows = ((view, [f"{100 * figures[head]:.2f}" for head in heads]) for view, figures in found.items())
    words = (
        "What a perfect recogniser could score, in %, if it perceived of a test clip what the row names. Counted from "
        "the recipe of the data set; nothing was run."
    )
    return ["### Ceilings of the data", plain("perceived", heads, rows), words]
