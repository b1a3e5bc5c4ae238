"""Backbones, one file each, and which of them is taken where none is named."""

from typing import NamedTuple


class Choice(NamedTuple):
    """A backbone, and why it is taken, in a line for whoever did not name one."""

    name: str
    why: str


def default(weights: str | None = None) -> Choice:
    """The backbone to take where none is named: efficientat if its weights are here, else tiny. Fetches nothing.

    Args:
        weights: that were given without a backbone: tiny's.
    """
    if weights is not None:
        return Choice("tiny", f"backbone: tiny, of which the weights {weights} are; `backbone` names another")
    from mgcl.backbones import efficientat

    if efficientat.is_here():
        return Choice("efficientat", "backbone: efficientat, which knows recordings, as its weights are here")
    missing = sum(each.bytes or 0 for each in efficientat.PUBLISHED) / 1e6
    return Choice(
        "tiny",
        "backbone: tiny, which knows generated sounds alone: the weights of efficientat, which knows recordings, are "
        f"not here; `mgcl weights fetch efficientat` fetches them ({missing:.0f} MB)",
    )
