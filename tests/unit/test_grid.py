"""Planning: every trial once, and every impossible request refused by name."""

from dataclasses import replace

import pytest

from mgcl.errors import SweepError
from mgcl.methods.resolved import resolve
from mgcl.methods.variants import VARIANTS, Variant
from mgcl.sweep.grid import left_out, plan
from mgcl.tasks import few_shot
from tests import cases

SWEEP = cases.sweep("s", ("full", "zero-shot"), ways=(2, 5), shots=(1, 3), queries=5, episodes=4)


def test_a_plan_is_the_product_of_its_fields(bank) -> None:
    cells = plan(cases.changed_sweep(SWEEP, seeds=(0, 1), folds=3, fold_classes=5), bank)
    assert len(cells) == len({cell.trial.key for cell in cells}) == 2 * 2 * 2 * 2 * 3


@pytest.mark.parametrize("protocol", ["palm", "maeb"])
def test_published_protocols_draw_of_all_classes(bank, protocol) -> None:
    given = {**few_shot.PRESETS[protocol], "shots": (3,), "split": "clip"}
    cells = [each.trial.cell for each in plan(cases.changed_sweep(SWEEP, **given), bank)]
    assert {(cell.way, cell.fold.kind, len(cell.fold.classes)) for cell in cells} == {(6, "all", 6)}
    with pytest.raises(SweepError, match="`ways` 0 stands for all classes"):
        cases.changed_sweep(SWEEP, ways=(0, 5))


def test_variants_that_are_the_same_trial_share_it(bank) -> None:
    cells = plan(cases.changed_sweep(SWEEP, variants=("full", "explanations-8", "explanations-2")), bank)
    assert [cell.variants for cell in cells[::4]] == [("full", "explanations-8"), ("explanations-2",)]


def test_the_name_of_a_variant_is_not_in_the_key(bank, monkeypatch) -> None:
    monkeypatch.setitem(VARIANTS, "another-name", Variant("mgcl"))
    assert plan(cases.changed_sweep(SWEEP, variants=("another-name",)), bank)[0].trial == plan(SWEEP, bank)[0].trial


def test_a_parameter_is_in_the_key(bank, monkeypatch) -> None:
    before = plan(SWEEP, bank)[0].trial.key
    monkeypatch.setitem(VARIANTS, "full", Variant("mgcl", {"alpha": 1.2}))
    assert plan(SWEEP, bank)[0].trial.key != before


def test_cells_without_enough_shots_are_left_out_and_said(bank) -> None:
    sweep = cases.changed_sweep(SWEEP, variants=("full", "leave-one-out"))
    assert {cell.trial.cell.shot for cell in plan(sweep, bank) if cell.variants == ("leave-one-out",)} == {3}
    assert left_out(sweep, bank) == ("leave-one-out needs 2 shots: left out at 1-shot",)
    with pytest.raises(SweepError, match="leave-one-out needs 2 shots: left out at 1-shot"):
        plan(cases.changed_sweep(sweep, variants=("leave-one-out",), shots=(1,)), bank)


def test_a_variant_with_a_parameter_that_is_none_is_refused(bank, monkeypatch) -> None:
    monkeypatch.setitem(VARIANTS, "full", Variant("mgcl", {"epsilom": 0.02}))
    with pytest.raises(
        SweepError, match="variant 'full': mgcl has no parameter 'epsilom'; it has: alpha, beta, coarse"
    ):
        plan(SWEEP, bank)


def test_more_explanations_than_the_bank_has_are_left_out(bank, monkeypatch) -> None:
    monkeypatch.setitem(VARIANTS, "explanations-9", Variant("mgcl", {"explanations": 9}))
    sweep = cases.changed_sweep(SWEEP, variants=("full", "explanations-9"))
    assert {cell.variants for cell in plan(sweep, bank)} == {("full",)}
    assert left_out(sweep, bank) == ("this bank lacks 9 explanations a class (it has 8): left out: explanations-9",)
    with pytest.raises(SweepError, match="this bank lacks 9 explanations"):
        plan(cases.changed_sweep(SWEEP, variants=("explanations-9",)), bank)


def test_every_variant_resolves() -> None:
    for name in VARIANTS:
        assert resolve(name).version >= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"no_such": 1}, "variant 'full': .*no_such"),
        ({"epsilon": 0.0}, "variant 'full': epsilon must be positive"),
        ({"alpha": -1.0}, "alpha must be at least 0"),
        ({"fusion": "sound"}, "fusion must be one of 'both', 'audio', 'caption', got 'sound'"),
        ({"fusion": "caption"}, "set coarse_cache and fine_cache to False"),
        ({"explanations": 0}, "explanations must be at least 1"),
        ({"logit_scale": float("inf")}, "logit_scale must be positive and finite"),
        (dict.fromkeys(("coarse_cache", "fine_cache", "coarse_contrast", "fine_contrast"), False), "nothing is left"),
    ],
)
def test_a_wrong_line_of_a_variant_is_refused(bank, monkeypatch, changes, message) -> None:
    monkeypatch.setitem(VARIANTS, "full", Variant("mgcl", changes))
    with pytest.raises(SweepError, match=message):
        plan(SWEEP, bank)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"variants": ("ful",)},
            "no variant is called 'ful'; the nearest is 'full'; there are: full, mel",
        ),
        ({"ways": (7,)}, "7-way needs 7 classes, but fold 0 has 6; lower `ways`"),
        ({"shots": (12,)}, "12-shot leaves 4 for 5 queries"),
        ({"ways": ()}, "`ways` names nothing"),
        ({"shots": (1, 1)}, "`shots` 1 1: a value stands twice"),
        ({"seeds": (0, 0)}, "`seeds` 0 0: a value stands twice"),
        ({"split": "speaker"}, "`split` speaker: choose clip or source"),
        ({"episodes": 0}, "`episodes` 0: choose 1 or more"),
        ({"folds": 2}, "`folds` and `fold_classes` go together"),
    ],
)
def test_an_impossible_sweep_is_refused(bank, changes, message) -> None:
    with pytest.raises(SweepError, match=message):
        plan(cases.changed_sweep(SWEEP, **changes), bank)


def test_mel_statistics_are_left_out_where_the_bank_has_none(bank) -> None:
    sweep = cases.changed_sweep(SWEEP, variants=("full", "mel-statistics"))
    assert {cell.variants for cell in plan(sweep, bank)} == {("full",)}
    assert left_out(sweep, bank) == (
        "this bank lacks mel_statistics (`mgcl extract` writes mel statistics): left out: mel-statistics",
    )


def test_without_captions_what_reads_them_is_left_out_or_run_on_audio_alone_if_asked(bank) -> None:
    files = {"clips.arrow": bank.clips.drop_columns(["caption", "caption_embedding"])}
    bare = replace(bank, files=files)
    sweep = cases.changed_sweep(SWEEP, variants=("full", "audio-only", "caption-only", "without-contrast", "zero-shot"))
    assert {name for cell in plan(sweep, bare) for name in cell.variants} == {
        "audio-only",
        "without-contrast",
        "zero-shot",
    }
    assert left_out(sweep, bare) == (
        "this bank lacks caption (`mgcl caption` writes captions; `audio_only` does without): left out: full",
        "this bank lacks caption (`mgcl caption` writes captions): left out: caption-only",
    )
    asked = cases.changed_sweep(sweep, audio_only=True)
    full, *_ = plan(asked, bare)
    assert full.variants == ("full", "audio-only")
    assert full.trial.parameters["fusion"] == "audio"
    assert [words.rpartition(": ")[2] for words in left_out(asked, bare)] == ["caption-only"]
    with pytest.raises(SweepError, match="`audio_only` is for banks without captions"):
        plan(asked, bank)
