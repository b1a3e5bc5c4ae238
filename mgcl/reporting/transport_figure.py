"""Picture of one query clip: its spectrogram, and the transport plans of its segments (MGCL Eq. 17-19)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mgcl.details import ExplainedClip
from mgcl.reporting.drawing import finish
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted
from mgcl.reporting.plan_drawing import Excerpt, Panel, over_time, shortened

_PART = "fine_contrast: "
_SAMPLE_RATE = 16000


@dataclass(frozen=True)
class Material:
    """Optional content of a picture that runs do not store: explanations and audio of the data set."""

    explanations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Label -> explanations of the class, in the bank's order."""
    audio: Mapping[str, Path] = field(default_factory=dict)
    """Clip id -> audio file."""


def has_plans(clip: ExplainedClip) -> bool:
    """Whether a clip has transport plans between its segments and explanations."""
    return any(name.startswith(_PART) for name in clip.plans)


def transport(where: str, clip: ExplainedClip, material: Material) -> Figure:
    """Draw the plans to the explanations of the true and of the answered class, below the clip's spectrogram.

    Args:
        where: trial of the clip, in words, for the caption.
        clip: explained clip for which ``has_plans`` is true.
        material: explanations and audio files; missing explanations are numbered, missing audio has no spectrogram.

    Raises:
        DataError: the clip's audio cannot be decoded.
    """
    end = clip.segment_times[-1] + clip.segment_times[0]
    file = material.audio.get(clip.clip_id)
    panels = []
    for label in dict.fromkeys((clip.label, clip.predicted)):
        plan = np.array(clip.plans[_PART + label]).T
        rows = _sentences(material.explanations.get(label, ()), len(plan))
        panels.append(Panel(f"{fitted(label, 3)} ({_role(label, clip)})", plan, rows))
    above = "" if file else " Its sound was not at hand: no spectrogram."
    caption = (
        f"{where}, query clip {clip.clip_id}: how the fine contrast's transport plan matches its segments (columns) "
        f"with a class's explanations (rows).{above}"
    )
    sound = _excerpt(file, clip.clip_id, end) if file else None
    return finish("transport", caption, over_time(sound, panels, end))


def _role(label: str, clip: ExplainedClip) -> str:
    if clip.label == clip.predicted:
        return "true and answered"
    return "true" if label == clip.label else "answered"


def _sentences(known: Sequence[str], count: int) -> list[str]:
    """The first ``count`` known sentences, shortened; numbers from 1 if fewer are known."""
    if len(known) < count:
        return [str(number) for number in range(1, count + 1)]
    return [shortened(sentence) for sentence in known[:count]]


def _excerpt(file: Path, clip_id: str, seconds: float) -> Excerpt:
    from mgcl.audio.excerpt import load_clip

    return Excerpt(load_clip(file, clip_id=clip_id, sample_rate=_SAMPLE_RATE, seconds=seconds), _SAMPLE_RATE)
