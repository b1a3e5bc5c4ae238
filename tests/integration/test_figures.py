"""Pictures: only what there is data for, the same bytes for the same runs, the right shares, readable files."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
import soundfile

from mgcl.details import Confusion, ExplainedClip
from mgcl.records import NO_TRANSPORT, TrialResult
from mgcl.reporting import drawing
from mgcl.reporting.class_figures import confusion, confusion_shares, gain
from mgcl.reporting.figure import Figure
from mgcl.reporting.figures import draw, needed
from mgcl.reporting.outline import Outline
from mgcl.reporting.tables import build
from mgcl.reporting.transport_figure import Material
from tests.cases import changed_run, changed_setting
from tests.unit.test_tables import RUN, ZERO

ROWS = {"full": 0.9, "zero-shot": 0.5, "category-name": 0.7, "explanations-2": 0.8}
EPISODES = (
    Confusion(("dog", "rain"), ((9, 1), (4, 6))),
    Confusion(("rain", "cat"), ((8, 2), (0, 10))),
)
EXPLAINED = ExplainedClip(
    "clip-1",
    "dog",
    "rain",
    (0.625, 1.875, 3.125, 4.375),
    {"coarse_contrast": (1.0, 2.0)},
    {
        "fine_cache: clip-2": ((0.0625,) * 4,) * 4,
        "fine_contrast: dog": ((0.125, 0.125),) * 4,
        "fine_contrast: rain": ((0.25, 0.0),) * 4,
    },
)
RESULT = TrialResult("k", {"accuracy": (0.75, 0.9)}, NO_TRANSPORT, 1.0, "cpu", 1, "here", EPISODES, EXPLAINED)
OUTLINE = Outline()
EVERY = ["shots", "explanations", "differences", "confusion", "gain", "transport"]
MOST = (10, 5)


def a_sweep(rows=ROWS, shots=(1, 5), ways=(10,), folds=(0, 1)):
    return [
        changed_run(
            RUN,
            key=f"{row}-{way}-{shot}-{fold}",
            variants=(row,),
            way=way,
            shot=shot,
            fold=fold,
            accuracies=(rows[row], rows[row] + shot / 100, rows[row] - fold / 100),
        )
        for row in rows
        for way in ways
        for shot in shots
        for fold in folds
    ]


def drawn(runs, result=RESULT, **options):
    tables = build(runs, order=tuple(ROWS))
    return draw(tables, {run.key: result for run in needed(tables, OUTLINE)}, OUTLINE, **options)


def names(figures) -> list[str]:
    return [figure.name for figure in figures]


@pytest.fixture(scope="module")
def figures() -> tuple[Figure, ...]:
    return drawn(a_sweep(ways=(5, 10)))


@pytest.fixture
def unrendered(monkeypatch) -> None:
    """For tests of which pictures there are: rendering takes most of the time, and other tests look at its result."""
    monkeypatch.setattr(drawing.FigureCanvasSVG, "print_svg", lambda *_, **__: None)
    monkeypatch.setattr(drawing.FigureCanvasAgg, "print_png", lambda *_, **__: None)
    monkeypatch.setattr(drawing, "palette", lambda png: png)


def test_everything_is_drawn_and_the_same_whatever_the_order_of_runs_and_the_users_own_settings(figures) -> None:
    assert names(figures) == EVERY
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "none"}):
        assert drawn(a_sweep(ways=(5, 10))[::-1]) == figures


def test_files_are_whole_and_fetch_nothing(figures) -> None:
    for figure in figures:
        svg = ElementTree.fromstring(figure.svg)  # noqa: S314 - our own
        links = [value for each in svg.iter() for name, value in each.attrib.items() if name.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links)
        assert not list(svg.iter("{http://www.w3.org/2000/svg}text"))  # fonts are paths
        assert figure.png.startswith(b"\x89PNG")
        assert figure.caption.endswith(".")


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize(
    ("runs", "missing"),
    [
        (a_sweep(shots=(5,)), {"shots"}),
        (a_sweep({"full": 0.9, "zero-shot": 0.5, "explanations-2": 0.8}), {"explanations"}),
        (a_sweep({"full": 0.9, "category-name": 0.5, "explanations-2": 0.8}), {"gain"}),
        (a_sweep({"full": 0.9}), {"explanations", "differences", "gain"}),
        (a_sweep({"zero-shot": 0.5}), {*EVERY} - {"shots"}),
    ],
)
def test_what_there_is_no_data_for_is_not_drawn(runs, missing) -> None:
    assert names(drawn(runs)) == [name for name in EVERY if name not in missing]


@pytest.mark.usefixtures("unrendered")
def test_without_whole_results_the_accuracies_are_drawn_still() -> None:
    assert names(draw(build(a_sweep()), {}, OUTLINE)) == ["differences", "explanations", "shots"][::-1]


@pytest.mark.usefixtures("unrendered")
def test_a_method_that_matches_nothing_has_no_transport_picture() -> None:
    assert "transport" not in names(drawn(a_sweep(), replace(RESULT, explained=replace(EXPLAINED, plans={}))))


def test_only_the_largest_way_and_shot_that_full_finished_is_looked_into() -> None:
    failed = [changed_run(run, status="FAILED", accuracies=()) if run.column == MOST else run for run in a_sweep()]
    for runs, place in ((a_sweep(ways=(5, 10)), MOST), (failed, (10, 1))):
        found = needed(build(runs), OUTLINE)
        assert [(run.variants[0], *run.column, run.block) for run in found] == [
            (row, *place, fold) for row in ("full", "zero-shot") for fold in (0, 1)
        ]


@pytest.mark.usefixtures("unrendered")
def test_several_tables_have_pictures_of_their_own() -> None:
    other = [
        changed_run(run, key=f"{run.key}-", setting=changed_setting(run.setting, split="source"))
        for run in a_sweep(shots=(5,))
    ]
    figures = drawn([*a_sweep(), *other])
    assert names(figures) == [f"table-1-{name}" for name in EVERY] + [f"table-2-{name}" for name in EVERY[1:]]
    assert figures[-1].caption.startswith("Table 2. ")


def test_no_table_has_no_pictures() -> None:
    assert draw((), {}, OUTLINE) == ()


def test_shares_are_of_the_episodes_that_held_both_classes() -> None:
    shares = confusion_shares(EPISODES, ("cat", "dog", "rain"))
    expected = [[1.0, np.nan, 0.0], [np.nan, 0.9, 0.1], [0.2, 0.4, 0.7]]
    np.testing.assert_allclose(shares, expected)


def test_the_transport_picture_has_the_sound_if_it_is_at_hand(tmp_path) -> None:
    file = tmp_path / "clip-1.wav"
    soundfile.write(file, np.zeros(80000), 16000)
    material = {RUN.setting.bank: Material({"dog": ("barks", "howls")}, {"clip-1": file})}
    runs = a_sweep({"full": 0.9}, shots=(5,), folds=(0,))  # two pictures
    mute, heard = drawn(runs)[-1], drawn(runs, material=material)[-1]
    assert "no spectrogram" in mute.caption
    assert "no spectrogram" not in heard.caption
    assert height(heard.png) > height(mute.png)
    assert drawn(runs, material={"another": material[RUN.setting.bank]})[-1] == mute


def height(png: bytes) -> int:
    return int.from_bytes(png[20:24])


def test_a_class_may_be_called_anything() -> None:
    odd = "50$ & <more>_$"
    episodes = tuple(replace(each, classes=(odd, *each.classes[1:])) for each in EPISODES)
    plans = {f"fine_contrast: {odd}": ((0.5,), (0.5,), (0.5,), (0.5,))}
    explained = replace(EXPLAINED, label=odd, predicted=odd, plans=plans)
    assert names(drawn(a_sweep(), replace(RESULT, confusions=episodes, explained=explained))) == EVERY


def test_one_episode_of_one_fold_has_no_interval_and_is_drawn() -> None:
    runs = [changed_run(run, accuracies=run.scores["accuracy"][:1]) for run in a_sweep(folds=(0,))]
    assert names(drawn(runs)) == [name.replace("confusion", "confusion-fold-0") for name in EVERY]


@pytest.mark.usefixtures("unrendered")
def test_blocks_of_other_classes_have_pictures_of_their_own() -> None:
    tables = build(a_sweep({"full": 0.9}, shots=(5,)))
    first, second = (run.key for run in needed(tables, OUTLINE))
    found = names(draw(tables, {first: RESULT, second: replace(RESULT, confusions=EPISODES[:1])}, OUTLINE))
    assert found == ["confusion-fold-0", "confusion-fold-1", "transport"]


def test_a_run_of_a_baseline_alone_has_its_curve() -> None:
    assert names(draw(build([ZERO, changed_run(ZERO, key="5", shot=5)]), {}, OUTLINE)) == ["shots"]


def test_of_hundreds_of_classes_those_that_matter_are_shown() -> None:
    """With 500 classes the whole matrix took a gigabyte, and nobody could read it."""
    names = tuple(f"class {number:03}" for number in range(100))
    perfect = np.eye(100, dtype=int) * 4
    mistaken = perfect.copy()
    mistaken[70:] -= np.eye(100, dtype=int)[70:]
    mistaken[70:, 0] += 1
    after, before = ([Confusion(names, tuple(map(tuple, each.tolist())))] for each in (perfect, mistaken))
    drawn = confusion("confusion", "here", before, "episode")
    assert "Of 100 classes, the 60 that were recognised least." in drawn.caption
    drawn = gain("here", ("full", "zero-shot"), after, before, "episode")
    assert "Of 100 classes, the 60 at the ends." in drawn.caption
