"""What single trials give to be drawn: kinds of mistakes, trade-offs, synthetic vectors, and what data allow."""

from dataclasses import replace

import numpy as np
import pytest

from mgcl.data import scenes
from mgcl.data.scenes import oracle
from mgcl.data.scenes.recipes import VERSION, scene_classes, scene_clips
from mgcl.details import Confusion, Tradeoff
from mgcl.records import NO_TRANSPORT, TrialResult
from mgcl.reporting import accuracy_figures, ceilings, class_figures, trial_figures
from mgcl.reporting.blocks import markdown
from mgcl.reporting.figure import Figure
from mgcl.reporting.figures import draw
from mgcl.reporting.notes import caption
from mgcl.reporting.outline import Outline
from mgcl.reporting.tables import build
from mgcl.reporting.trial_figures import kind_shares
from mgcl.tasks import generalised
from mgcl.tasks._generalised.samples import compare, frechet
from tests.unit.test_tables import RUN

OUTLINE = Outline(reference="mine", baselines=("other",))
COUNTS = ((3, 1, 0), (0, 2, 2), (1, 1, 2))
SAMPLES = compare(("c",), [np.random.default_rng(0).standard_normal((5, 3))], [np.ones((4, 3))])
RESULT = TrialResult(
    "k",
    {},
    NO_TRANSPORT,
    1.0,
    "cpu",
    1,
    "here",
    confusions=(Confusion(("a", "b", "c"), COUNTS, ("base", "base", "novel")),),
    tradeoffs=(Tradeoff("gamma", (0.0, 1.0), 0.0, ("base", "novel"), ((0.6, 0.2), (0.1, 0.7))),),
    samples=SAMPLES,
)


def runs(dataset: str = "scenes", revision: str = "", shots: tuple[int, ...] = (1, 5)):
    """Runs of two rows of the task with one coordinate per column."""
    setting = replace(
        RUN.setting,
        task="generalised",
        dataset=dataset,
        drawn=(("draws", 2), ("base_classes", 2), ("novel_classes", 1)),
    )
    scores = dict.fromkeys(("base", "novel", "fsl", "hm of a draw"), (0.4, 0.5))
    return [
        replace(
            RUN,
            key=f"{row}{shot}{seed}",
            setting=setting,
            variants=(row,),
            column=(shot,),
            pooled=(seed,),
            scores=scores,
            revision=revision,
        )
        for row in ("mine", "other")
        for shot in shots
        for seed in (0, 1)
    ]


def test_every_picture_of_a_task_with_one_number_per_column_is_drawn(monkeypatch) -> None:
    for module in (accuracy_figures, class_figures, trial_figures):  # rendering is tested where letters are
        monkeypatch.setattr(module, "finish", lambda name, caption, _: Figure(name, caption, "", b""))
    tables = build(runs())
    figures = draw(tables[:1], {run.key: RESULT for run in tables[0].runs}, OUTLINE)
    assert [figure.name for figure in figures] == [
        "shots",
        "differences",
        "confusion",
        "gain",
        "kinds",
        "tradeoff",
        "samples",
    ]
    assert "hm against clips of a novel class" in figures[0].caption
    assert figures[2].caption.endswith("Lines part kinds of classes: base, novel.")


def test_wrong_answers_are_counted_by_kind_and_classes_alike() -> None:
    twice = replace(RESULT.confusions[0], counts=((6, 2, 0), *COUNTS[1:]))
    for units in (RESULT.confusions, (twice,), (twice, *RESULT.confusions)):
        found = kind_shares(units)
        np.testing.assert_allclose(found, [[(0.75 + 0.5) / 2, 0.25 / 2, 0.5 / 2], [0.5, 0.5, 0.0]])


def test_the_frechet_distance_is_its_closed_form() -> None:
    random = np.random.default_rng(1)
    first = random.standard_normal((200, 4))
    first = (first - first.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(first.T, ddof=0))).T  # covariance 1
    scale, shift = np.array([1.0, 2.0, 0.5, 3.0]), np.array([0.0, 1.0, 0.0, -2.0])
    turned = np.linalg.qr(random.standard_normal((4, 4)))[0]
    other = first * scale + shift
    assert frechet(first, other) == pytest.approx(((scale - 1) ** 2).sum() + (shift**2).sum())
    assert frechet(first @ turned, other @ turned) == pytest.approx(frechet(other, first))
    assert frechet(first, first) == pytest.approx(0, abs=1e-9)


def test_the_plane_holds_the_largest_variance_and_each_class_its_own_distance() -> None:
    random = np.random.default_rng(2)
    real = [random.standard_normal((30, 5)) * (5, 3, 0.1, 0.1, 0.1) + 10 * index for index in range(2)]
    found = compare(("a", "b"), real, [real[1], real[1] + 1])
    assert found.own[0] > found.nearest[0] == pytest.approx(0, abs=1e-6)
    assert found.own[1] == pytest.approx(5)
    together = np.concatenate(real)
    values = np.linalg.eigvalsh(np.cov(together.T))
    assert found.shown == pytest.approx(values[-2:].sum() / values.sum())
    points = np.concatenate([np.array(each) for each in found.real])
    np.testing.assert_allclose(np.cov(points.T), np.diag(values[:-3:-1]), atol=0.01)


@pytest.mark.parametrize(("revision", "known"), [("{version}.0.{digest}", True), ("{version}.0.other", False)])
def test_ceilings_are_rows_where_the_recipe_is_known(revision, known) -> None:
    digest = scenes.digest(dict(scenes.CLIPS))[:8]
    (table, *_) = build(runs(revision=revision.format(version=VERSION, digest=digest)))
    text = markdown(ceilings.blocks(table))
    assert ("Ceilings" in text) == known
    if known:
        for view, each in oracle.ceilings(scene_clips(scene_classes())).items():
            figures = (each.harmonic_mean, each.base, each.novel, each.novel_alone)
            assert [f"{100 * figure:.2f}" for figure in figures] == next(
                line.replace(" ", "").split("|")[2:-1] for line in text.splitlines() if f"| {view} " in line
            )


def test_no_report_names_a_draw_of_draws() -> None:
    (table, *_) = build([run for run in runs() if run.pooled == (0,)])
    assert "it covers the draw of the novel classes' clips only" in caption(table)[0]
    assert generalised.ceilings("esc50", "1") == {}
