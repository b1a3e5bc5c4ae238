"""Sound events: what sounds from when to when."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Event:
    """A sound event in a clip or a recording.

    Attributes:
        onset: start of the event, in seconds from the start of the clip or recording.
        offset: end of the event, in the same seconds; larger than ``onset``.
        label: class of the event.
    """

    onset: float
    offset: float
    label: str
