"""A few-shot method by its name, with its parameters. The classifier reaches methods through this module alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, cast

from torch import Tensor

from mgcl.catalogue import load, names
from mgcl.errors import ClassifierError
from mgcl.methods import DEFAULT_METHOD
from mgcl.methods.method import ClipFeatures, Match, Method, Prediction, Shares, Support
from mgcl.parameters import flat, from_flat
from mgcl.records import Value


@dataclass(frozen=True)
class Learner:
    """One method, ready to be fitted."""

    name: str
    """Name of the method in the catalogue."""
    parameters: Any
    """Instance of the method's ``Parameters``."""

    @classmethod
    def named(cls, name: str, options: Mapping[str, Value]) -> Self:
        """A method by its name, with some of its options set.

        Raises:
            MgclError: there is no method of that name; lists the known methods.
            ClassifierError: an option has a wrong value.
        """
        try:
            return cls(name, from_flat(_method(name).Parameters, options))
        except ValueError as error:
            raise ClassifierError(str(error)) from None

    @property
    def version(self) -> int:
        """The method's version."""
        return self._method.VERSION

    @property
    def least_shots(self) -> int:
        """Least number of support clips per class that the method needs."""
        return int(getattr(self.parameters, "least_shots", 1))

    @property
    def needs_captions(self) -> bool:
        """Whether the method reads the clips' captions."""
        return "caption" in self.parameters.reads

    @property
    def needs_text(self) -> bool:
        """Whether the method reads sentences on clips or classes."""
        return not set(self.parameters.reads).isdisjoint(("caption", "prompt", "explanations"))

    def without_captions(self) -> Self:
        """The learner for clips without captions.

        Raises:
            ValueError: the method needs captions.
        """
        if not self.needs_captions:
            return self
        if not hasattr(self.parameters, "without_captions"):
            raise ValueError(f"the method {self.name} needs captions")
        return replace(self, parameters=self.parameters.without_captions())

    def fit(self, support: Support) -> Any:
        """Fit the method on a support set. The other methods take the result.

        Raises:
            ValueError: the method cannot be fitted on this support set.
        """
        return self._method.fit(support, self.parameters)

    def predict(self, fitted: Any, clips: ClipFeatures) -> Prediction:
        """Score clips with a fitted method."""
        return self._method.predict(fitted, clips)

    def explain(self, fitted: Any, clip: ClipFeatures, classes: tuple[int, ...]) -> tuple[Match, ...]:
        """Transport plans behind the scores of one clip, for the classes of these indices."""
        return self._method.explain(fitted, clip, classes)

    def shares(self, fitted: Any, clip: ClipFeatures, support: Support) -> Shares:
        """Shares of single support clips and sentences in the logits of one clip; empty if the method has none."""
        shares = getattr(self._method, "shares", None)
        return shares(fitted, clip) if shares else Shares({}, {}, support.explanations)

    def state(self, fitted: Any) -> Mapping[str, Tensor]:
        """Tensors of a fitted method that are saved beside its support set."""
        state = getattr(self._method, "state", None)
        return state(fitted) if state else {}

    def restored(self, support: Support, state: Mapping[str, Tensor]) -> Any:
        """Restore a fitted method from its support set and its saved ``state``."""
        restored = getattr(self._method, "restored", None)
        return restored(support, self.parameters, state) if restored else self.fit(support)

    @property
    def _method(self) -> Method:
        return _method(self.name)


def options_of(name: object) -> dict[str, Value]:
    """Options of a method, with their defaults.

    An unknown name yields the options of the default method; ``Learner.named`` refuses it later.
    """
    known = isinstance(name, str) and name in names("method", "few_shot")
    return flat(_method(str(name) if known else DEFAULT_METHOD).Parameters())


def _method(name: str) -> Method:
    return cast(Method, load("method", name, "few_shot"))
