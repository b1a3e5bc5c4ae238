"""Checks of a classifier's arguments other than sounds, made before any work is done."""

import functools
import sys
from collections.abc import Sequence
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from mgcl.audio import CHANNELS
from mgcl.backbones import Choice
from mgcl.backbones.backbone import Backbone, reads_text
from mgcl.classifier.given import Clip
from mgcl.classifier.labels import checked_labels, label_sets
from mgcl.classifier.model import Model
from mgcl.errors import ClassifierError
from mgcl.records import Value

Captions = Sequence[str] | None
_SEEDS = 2**31 - 1


def check_choices(
    *,
    channels: str,
    reject_label: Value,
    reject_rate: float,
    multi_label: bool,
    background: bool,
    random_state: object,
) -> None:
    """Check an estimator's own parameters. Nothing is drawn from ``random_state``.

    Raises:
        ClassifierError: ``channels`` or ``reject_rate`` has a wrong value, ``reject_label`` stands beside
            ``multi_label``, or there is a background and neither of the two.
        ValueError: ``random_state`` is of no form that scikit-learn accepts.
    """
    if not isinstance(random_state, np.random.Generator):
        check_random_state(random_state)
    if channels not in CHANNELS:
        raise ClassifierError(f"`channels` is {channels!r}; it is one of {', '.join(CHANNELS)}")
    if reject_label is not None and not 0 <= reject_rate < 1:
        raise ClassifierError(f"`reject_rate` is {reject_rate}; it is a share of clips, from 0 to less than 1")
    if multi_label and reject_label is not None:
        raise ClassifierError("with `multi_label` a clip may have no class at all: leave out `reject_label`")
    if background and not multi_label and reject_label is None:
        raise ClassifierError(
            "`background` teaches when a clip is of none of the classes: give `reject_label` or `multi_label` too"
        )


@functools.cache
def announced(choice: Choice) -> str:
    """Name of the default backbone. The reason for it is printed on stderr once per process."""
    print(choice.why, file=sys.stderr, flush=True)
    return choice.name


def label_sets_of(clips: Sequence[Clip], labels: ArrayLike, *, several: bool) -> list[tuple[Value, ...]]:
    """The labels of each clip: one, or with ``several`` any number.

    Raises:
        ClassifierError: a label is missing, or is not text, a number or a boolean.
        ValueError: the number of labels differs from the number of clips.
    """
    found: list[tuple[Value, ...]] = label_sets(labels) if several else [(each,) for each in checked_labels(labels)]
    check_consistent_length(clips, found)
    return found


def seed_of(random_state: object) -> int:
    """Seed for scikit-learn's ``random_state``: an integer itself; from a generator or None a seed is drawn."""
    if isinstance(random_state, Integral):
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(_SEEDS))
    state = np.random.RandomState() if random_state is None else random_state
    return int(check_random_state(state).randint(_SEEDS))


def check_captions(model: Model, captions: str | Captions) -> None:
    """Check that clips have captions if and only if the model was fitted with captions of the user's.

    Raises:
        ClassifierError: captions are missing, or were given to a model that was fitted without them.
    """
    if model.own_captions and captions is None:
        raise ClassifierError(
            "the classifier was fitted with captions, and these clips come with none; give theirs: `captions`"
        )
    if captions is not None and not model.own_captions:
        raise ClassifierError("the classifier was fitted without captions: leave them out, or fit with captions")


def check_text(backbone: Backbone, *, explanations: object, captions: Captions) -> None:
    """Check that no sentences are given to a backbone without a text side; None passes.

    Raises:
        ClassifierError: there are sentences.
    """
    for name, given in (("explanations", explanations), ("captions", captions)):
        if given is not None and not reads_text(backbone):
            raise ClassifierError(f"the backbone {backbone.name} has no text side; leave `{name}` out")


def check_as_many(clips: Sequence[Clip], captions: Captions) -> None:
    """Check that there are as many captions as clips; None passes.

    Raises:
        ValueError: the numbers differ.
    """
    if captions is not None:
        check_consistent_length(clips, captions)
