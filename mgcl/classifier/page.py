"""An html page of the reasons for answers. It is self-contained and fetches nothing from the network."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from mgcl.classifier.figures import alignment, file_name, shares, transport
from mgcl.classifier.kept_sounds import kept
from mgcl.classifier.reasons import Reasons, Share
from mgcl.classifier.sounds import Sound
from mgcl.classifier.wav import as_wav
from mgcl.reporting.page import inline, templates

_STRONGEST = 8


class _Table(NamedTuple):
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def html(explained: Sequence[tuple[Reasons, Sound]], sample_rate: int, model: Path | None = None) -> str:
    """Render the page, one section per clip.

    Args:
        explained: reasons and embedded sound of every clip.
        sample_rate: sample rate of the sounds, in Hz.
        model: folder of the model, whose kept sounds are played beside the support clips; None: there are none.
    """
    sections = [
        (
            title(reasons),
            reasons.answer.clip,
            _classes(reasons),
            why(reasons, sound, sample_rate, name=f"clip-{number}", model=model),
        )
        for number, (reasons, sound) in enumerate(explained, start=1)
    ]
    return _TEMPLATES.get_template("explained.html").render(name="What was recognised, and why", sections=sections)


def title(reasons: Reasons) -> str:
    """Title of a clip's section: its name, the answer and the probability."""
    nearest = f"the nearest is {reasons.ranking[0]}, " if reasons.is_turned_away else ""
    name, answer = file_name(reasons.answer.clip), reasons.answer
    return f"{name}: {answer.words} ({nearest}{100 * answer.probability:.0f} %)"


def why(reasons: Reasons, sound: Sound, sample_rate: int, *, name: str, model: Path | None = None) -> str:
    """Render one clip's figures, tables and json as an html fragment.

    Args:
        reasons: reasons for the answer.
        sound: the sound that was embedded.
        sample_rate: sample rate of the sound, in Hz.
        name: name of the clip within its page: letters, digits and dashes.
        model: as in ``html``.
    """
    figures = (
        shares(reasons),
        transport(reasons, sound, sample_rate),
        alignment(reasons, sound, sample_rate),
    )
    named = [replace(figure, name=f"{name}-{figure.name}") for figure in figures if figure]
    return _TEMPLATES.get_template("why.html").render(
        reasons=reasons,
        recording=base64.b64encode(as_wav(sound.waveform, sample_rate)).decode(),
        figures=[(figure.caption, inline(figure)) for figure in named],
        tables=list(_tables(reasons, model)),
        json=json.dumps(reasons.to_json(), indent=1, ensure_ascii=False),
    )


def _tables(reasons: Reasons, model: Path | None) -> Iterator[_Table]:
    if reasons.support:
        clips = [replace(share, name=file_name(share.name)) for share in _own_first(reasons, reasons.support)]
        table = _of_shares("Strongest support clips", "clip", clips)
        players = [_player(model, share) for share in clips] if model else []
        if any(players):
            rows = [[*row, player] for row, player in zip(table.rows, players, strict=True)]
            table = table._replace(columns=[*table.columns, "its sound"], rows=rows)
        yield table
    if reasons.sentences:
        yield _of_shares("Strongest explanations", "explanation", _own_first(reasons, reasons.sentences))


def _classes(reasons: Reasons) -> _Table:
    rows = [
        [
            str(label),
            f"{100 * reasons.answer.probabilities[label]:.1f} %",
            *_numbers({part: scores[label] for part, scores in reasons.parts.items()}),
        ]
        for label in reasons.ranking[:_STRONGEST]
    ]
    return _Table("Most probable classes", ["class", "probability", *map(_words, reasons.parts), "logit"], rows)


def _of_shares(name: str, what: str, given: Sequence[Share]) -> _Table:
    rows = [[share.name, str(share.label), *_numbers(share.parts)] for share in given]
    return _Table(name, [what, "class", *map(_words, given[0].parts), "sum"], rows)


def _own_first(reasons: Reasons, given: Sequence[Share]) -> Sequence[Share]:
    """The strongest shares, those of the most probable class before those of others."""
    return sorted(given, key=lambda share: share.label != reasons.ranking[0])[:_STRONGEST]


def _player(model: Path, share: Share) -> Markup:
    """A player of the clip's sound; empty if it was not kept."""
    sound = kept(model, share.digest)
    encoded = base64.b64encode(sound or b"").decode()
    player = '<audio controls preload="none" src="data:audio/flac;base64,{}"></audio>'
    return Markup(player).format(encoded) if sound else Markup()  # noqa: S704 - the player alone; format escapes


def _numbers(parts: Mapping[str, float]) -> list[str]:
    """The shares and their sum, formatted."""
    return [f"{each:.3f}" for each in (*parts.values(), sum(parts.values()))]


def _words(part: str) -> str:
    return part.replace("_", " ")


_TEMPLATES = templates("mgcl.classifier")
