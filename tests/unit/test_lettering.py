"""No text leaves its picture, however long names and sentences are; what is shortened stays readable."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import style
from matplotlib.text import Text
from PIL import Image

from mgcl.classifier import figures as reasons_figures
from mgcl.classifier.answers import Answer
from mgcl.classifier.reasons import Reasons, Share
from mgcl.classifier.sounds import Sound
from mgcl.details import Confusion, ExplainedClip, Samples, Tradeoff
from mgcl.methods.series import Series
from mgcl.reporting import accuracy_figures, class_figures, drawing, trial_figures
from mgcl.reporting.figure import Figure
from mgcl.reporting.lettering import fitted, width, wrapped
from mgcl.reporting.outline import Outline
from mgcl.reporting.tables import build
from mgcl.reporting.transport_figure import Material, transport
from tests.cases import changed_run
from tests.unit.test_tables import RUN

LONG = {
    "short": "dog",
    "long": "treff-adapter-training-free with searched values of the whole method",
    "sentences": "A dog barks in the distance while rain falls on the roof of a car. " * 5,
    "one word": "W" * 300,
    "another script": "犬が遠くで吠えている" * 20,
}


def names(text: str, count: int) -> list[str]:
    return [f"{number} {text}" for number in range(count)]


def shots(text: str, count: int) -> Figure | None:
    rows = names(text, count)
    return accuracy_figures.against_columns(table(rows), Outline(reference=rows[0], baselines=tuple(rows[1:7])))


def series(text: str, count: int) -> Figure | None:
    rows = names(text, count)
    numbers = {row: 2 * number for number, row in enumerate(rows)}
    return accuracy_figures.against_series(table(rows), Series("s", text, numbers, "class\nname", "About."))


def forest(text: str, count: int) -> Figure | None:
    rows = names(text, count)
    return accuracy_figures.forest(table(rows), rows[0])


def table(rows: list[str]):
    runs = [
        changed_run(RUN, key=f"{row}-{shot}", variants=(row,), shot=shot, accuracies=(0.5, 0.6, 0.7 + 0.01 * number))
        for number, row in enumerate(rows)
        for shot in (1, 5)
    ]
    return build(runs, rows)[0]


def units(text: str, count: int) -> list[Confusion]:
    return [Confusion(tuple(names(text, count)), tuple(map(tuple, np.eye(count, dtype=int) + 1)))]


def confusion(text: str, count: int) -> Figure:
    return class_figures.confusion("c", "where", units(text, count), "episode")


def gain(text: str, count: int) -> Figure:
    return class_figures.gain("where", (text, f"{text} too"), units(text, count), units(text, count), "episode")


def plan(text: str, count: int) -> Figure:
    labels = names(text, 2)
    plans = {f"fine_contrast: {label}": np.full((4, count), 0.25 / count).tolist() for label in labels}
    clip = ExplainedClip("clip", *labels, (0.5, 1.5, 2.5, 3.5), {}, plans)
    return transport("where", clip, Material({label: names(text, count) for label in labels}))


def reasons(text: str, count: int) -> Reasons:
    labels = names(text, 2)
    parts = ("coarse_cache", "fine_cache", "coarse_contrast", "fine_contrast")
    shares = [Share(each, label, dict.fromkeys(parts, 0.5)) for each in names(text, count) for label in labels]
    return Reasons(
        answer=Answer(text, labels[0], dict(zip(labels, (0.6, 0.4), strict=True)), 0.0, 4.0),
        caption=None,
        parts={part: dict(zip(labels, (1e4, -1e4), strict=True)) for part in parts},
        support=tuple(shares),
        sentences=tuple(shares),
        plans={label: np.full((4, count), 0.25 / count).tolist() for label in labels},
        explanations={label: names(text, count) for label in labels},
        segment_times=(0.5, 1.5, 2.5, 3.5),
    )


def shares(text: str, count: int) -> Figure:
    return reasons_figures.shares(reasons(text, count))


def explained(text: str, count: int) -> Figure:
    noise = np.random.default_rng(0).normal(size=16000).astype(np.float32)
    return reasons_figures.transport(reasons(text, count), Sound("s", noise), 4000)


def tradeoff(text: str, count: int) -> Figure:
    of = Tradeoff(text, (0.0, 0.5, 1.0), 1.0, (text, f"{text} too"), ((0.5, 0.1), (0.4, 0.3), (0.0, 0.9)))
    return trial_figures.tradeoff("where", {name: [of] for name in names(text, count)}, "draw")


def kinds(text: str, count: int) -> Figure:
    of = [replace(each, kinds=each.classes) for each in units(text, count)]
    return trial_figures.kinds("where", dict.fromkeys(names(text, 2), of), "draw")


def samples(text: str, count: int) -> Figure:
    points, far = ((((0.0, 0.0), (1.0, 2.0)),) * count for _ in range(2)), (1234.5,) * count
    return trial_figures.samples("where", Samples(tuple(names(text, count)), *points, 0.5, far, far))


PICTURES = (shots, series, forest, confusion, gain, plan, shares, explained, tradeoff, kinds, samples)


@pytest.fixture
def outside(monkeypatch) -> list[str]:
    """Every text that is drawn and leaves its picture, be it svg or png."""
    found: list[str] = []
    draw = Text.draw

    def watched(text: Text, renderer) -> None:
        draw(text, renderer)
        if text.get_visible() and text.get_text().strip():
            extent, page = text.get_window_extent(renderer), text.get_figure().bbox
            if not (page.x0 <= extent.x0 and page.y0 <= extent.y0 and extent.x1 <= page.x1 and extent.y1 <= page.y1):
                found.append(text.get_text())

    monkeypatch.setattr(Text, "draw", watched)
    return found


@pytest.mark.parametrize(
    ("draw", "text", "count"),
    [
        *((draw, "one word", 2) for draw in PICTURES),
        *((draw, "sentences", 8) for draw in PICTURES),
        *((draw, "another script", 3) for draw in (forest, plan)),
        *((draw, "long", 30) for draw in (forest, gain)),
    ],
)
@pytest.mark.filterwarnings("ignore:Glyph .* missing from")
def test_no_text_leaves_its_picture(draw: Callable[[str, int], Figure | None], text, count, outside) -> None:
    with style.context(["default", drawing.STYLE]):
        figure = draw(LONG[text], count)
    assert figure is not None
    assert outside == []
    pixels = np.asarray(Image.open(io.BytesIO(figure.png)).convert("L"))
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert edge.min() == 255  # white


def test_the_watch_finds_what_leaves(outside) -> None:
    drawn = drawing.canvas(2, 2)
    drawn.text(-0.2, 0.5, "out at the left")
    drawn.text(0.5, 0.5, "in")
    drawing.finish("x", "", drawn)
    assert set(outside) == {"out at the left"}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("inches", [0.5, 1, 3])
def test_what_is_fitted_is_no_wider_and_a_beginning(text, inches) -> None:
    line = fitted(text, inches)
    assert width(line) <= inches
    assert text == line or (line.endswith("…") and text.startswith(line[:-1]) and len(line) > 1)
    for part in wrapped(text, inches, lines=3).splitlines():
        assert width(part) <= inches


def test_text_that_fits_stays_and_what_does_not_is_cut_at_a_word() -> None:
    assert fitted("rain on a roof", 3) == "rain on a roof"
    assert fitted(" rain\non a  roof", 3) == "rain on a roof"
    assert fitted(5, 3) == "5"
    assert fitted("thunder rolls over the hills", 1.4) == "thunder rolls over…"
    assert wrapped("thunder rolls over the hills", 1.4) == "thunder rolls over the\nhills"
    assert wrapped("", 1) == ""
