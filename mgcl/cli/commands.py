"""What several commands share."""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object


def warn_of_named_classes(share: float | None) -> None:
    """Say so where more than half of the captions contain a word of their class's name; None: no captions."""
    if share is not None and share > 0.5:
        print(
            f"warning: {100 * share:.0f} % of the captions contain a word of their class's name; "
            "if they were written from the labels, accuracies of variants that read them mean nothing",
            file=sys.stderr,
        )
