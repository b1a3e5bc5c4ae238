"""A method of the user's choice, and which of them suits her clips."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mgcl.classifier import comparison
from mgcl.classifier.comparison import compared
from mgcl.cli import main
from mgcl.cli.fit_input import options
from mgcl.errors import ClassifierError, MgclError
from mgcl.methods.method import ClipFeatures, Support
from mgcl.transport.cost import unit

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
WAY, SHOT, D = 3, 3, 8


def support(spread: float, *, captions: bool = True) -> Support:
    random = torch.Generator().manual_seed(0)
    centres, labels = torch.eye(WAY, D), torch.arange(WAY).repeat_interleave(SHOT)

    def near(*shape: int) -> torch.Tensor:
        return spread * torch.randn(*shape, D, generator=random)

    clip = unit(centres[labels] + near(WAY * SHOT))
    segments = unit(centres[labels][:, None] + near(WAY * SHOT, 4))
    caption = clip.clone() if captions else None
    return Support(
        ClipFeatures(segments, clip, caption), labels, unit(centres + near(WAY)), unit(centres[:, None] + near(WAY, 2)),
        20.0, torch.tensor(0),
    )  # fmt: skip


def test_clips_that_lie_apart_are_recognised_by_every_method() -> None:
    found = compared(support(0.01), seed=0)
    assert {each.accuracy for each in found} == {1.0}
    names = [each.method for each in found]
    assert names == sorted(names)
    assert {"mgcl", "multi_grained_kernel", "zero_shot"} <= set(names)
    assert "mel_statistics" not in names


@pytest.fixture
def a_few(monkeypatch) -> None:
    """Methods that are fitted at once, beside the one that may read captions; another test compares all of them."""
    monkeypatch.setattr(comparison, "names", lambda *_: ("mgcl", "prototypical", "ridge", "zero_shot"))


@pytest.mark.usefixtures("a_few")
def test_the_best_stands_first_and_the_same_seed_gives_the_same() -> None:
    found = compared(support(0.8), seed=0)
    assert [each.correct for each in found] == sorted((each.correct for each in found), reverse=True)
    assert found[0].correct > found[-1].correct
    assert found == compared(support(0.8), seed=0)


@pytest.mark.usefixtures("a_few")
def test_without_captions_methods_go_by_audio_alone() -> None:
    assert "mgcl" in [each.method for each in compared(support(0.01, captions=False), seed=0)]


def test_with_one_clip_of_a_class_nothing_can_be_compared() -> None:
    few = support(0.1)
    rows = torch.tensor([0, 3, 4, 6])
    clips = ClipFeatures(*(getattr(few.clips, part)[rows] for part in ("segments", "clip", "caption")))
    with pytest.raises(ClassifierError, match="give each class 2 clips or more"):
        compared(replace(few, clips=clips, labels=few.labels[rows]), seed=0)


def flags(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"method": "mgcl", "audio_only": False, "option": [], **given})


def test_options_are_those_of_the_method_in_either_form() -> None:
    assert options(flags(method="ridge", option=[["ridge=0.5"]])) == {"ridge": 0.5}
    assert options(flags(option=[["alpha", "2"], ["fusion=audio"]])) == {"alpha": 2, "fusion": "audio"}
    assert options(flags(audio_only=True)) == {"fusion": "audio"}
    assert options(flags(method="ridge", audio_only=True)) == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "ridge", "option": [["alpha=2"]]}, "--option alpha: the method ridge has none of that name"),
        ({"option": [["alpha"]]}, "write NAME=VALUE"),
        ({"option": [["alpha=1", "2"]]}, "write NAME=VALUE"),
    ],
)
def test_options_that_the_method_has_not_are_refused(given, words) -> None:
    with pytest.raises(MgclError, match=words):
        options(flags(**given))


def test_a_method_that_is_none_is_refused_before_anything_is_read(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["fit", str(tmp_path / "absent"), "--out", str(tmp_path / "model"), "--method", "rigde"])
    assert "no --method is called 'rigde'; the nearest is 'ridge'; there are: clip_adapter" in capsys.readouterr().err


def test_a_comparison_needs_two_clips_of_each_class(tmp_path: Path, capsys) -> None:
    for label, count in (("rain", 2), ("dog", 1)):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "clips" / label / f"{number}.wav").write_bytes(b"RIFF")
    with pytest.raises(SystemExit):
        main(["fit", str(tmp_path / "clips"), "--out", str(tmp_path / "model"), "--compare"])
    assert "one clip alone of dog" in capsys.readouterr().err
