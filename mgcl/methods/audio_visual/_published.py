"""Full-size settings of AV-DIFF for a data set and shot, from its published configurations.

``published_settings.json`` holds them by the names of our options. Windows are in seconds: 60 and 300 visual tokens of
0.64 s. What the configurations give for validation alone (30 tokens on ActivityNet) is left out: ours validates as it
tests.
"""

import json
from importlib.resources import files

from mgcl.errors import MgclError
from mgcl.records import Value


def published_settings(dataset: str, shot: int) -> dict[str, Value]:
    """Options of AV-DIFF, by name.

    Args:
        dataset: "VGGSound-FSL", "UCF-FSL" or "ActivityNet-FSL", in any case.
        shot: 1, 5, 10 or 20.

    Raises:
        MgclError: there are no settings for this data set and shot; names those that there are.
    """
    content = json.loads(files("mgcl.methods.audio_visual").joinpath("published_settings.json").read_text("utf-8"))
    by_name = {name.lower(): shots for name, shots in content["datasets"].items()}
    own = by_name.get(dataset.lower(), {}).get(str(shot))
    if own is None:
        shots = ", ".join(next(iter(by_name.values())))
        raise MgclError(
            f"`settings`: none are published for {dataset} with {shot} shots; there are "
            f"{', '.join(content['datasets'])} with {shots}"
        )
    return {**content["all"], **own}
