"""Machines that the cloud of a cluster refuses, in its own words."""

import json

from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
from ray.experimental.internal_kv import _internal_kv_get


def refused() -> tuple[str, ...]:
    """Kinds of machines that the connected cluster's cloud refuses at present, each with the cloud's words.

    A cluster that rents no machines has none.
    """
    return refusals(_internal_kv_get(DEBUG_AUTOSCALING_STATUS))


def refusals(status: bytes | None) -> tuple[str, ...]:
    """Read ``refused`` from the autoscaler's status.

    Args:
        status: JSON that Ray's autoscaler writes at every step; None: there is no autoscaler.
    """
    report = json.loads(status or b"{}").get("autoscaler_report") or {}
    latest = (report.get("node_availability_summary") or {}).get("node_availabilities") or {}
    return tuple(
        f"{kind}: {why['category']} ({' '.join(why['description'].split())[:160]})"
        for kind, each in sorted(latest.items())
        if not each["is_available"] and (why := each["unavailable_node_information"])
    )
