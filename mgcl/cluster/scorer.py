"""Choice of the kind of machine that Ray's autoscaler rents; ``cluster.yaml`` makes ``score`` its scorer."""

from collections.abc import Mapping, Sequence
from typing import Any

from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer


def score(
    node_resources: Mapping[str, Any],
    resources: Sequence[Mapping[str, Any]],
    node_type: str,
    *,
    node_availability_summary: Any,
) -> tuple[Any, ...] | None:
    """Score a kind of machine; Ray rents the kind with the highest score, and of several the last in the alphabet.

    Kinds that the cloud refused a short while ago come after all others; otherwise Ray's own score decides, which alone
    asks for the refused kind again and again.

    Args:
        node_resources: resources of such a machine.
        resources: resources of each actor that waits.
        node_type: name of the kind.
        node_availability_summary: Ray's record of the latest attempts to rent each kind.

    Returns:
        The score, or None if no actor fits on such a machine.
    """
    own = _default_utilization_scorer(
        dict(node_resources),
        [dict(each) for each in resources],
        node_type,
        node_availability_summary=node_availability_summary,
    )
    latest = node_availability_summary.node_availabilities.get(node_type)
    return None if own is None else (latest is None or latest.is_available, *own)
