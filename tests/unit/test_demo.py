"""The demo's session without a page: what visitors are told, and that the model changes only when they say so."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mgcl import FewShotClassifier
from mgcl.errors import ClassifierError
from tests.generated_backbone import embedded_once
from tests.generated_sounds import write_sounds

if TYPE_CHECKING:  # gradio takes seconds to import: only the process that runs these tests needs it
    from mgcl.classifier.demo import Session

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@pytest.fixture(scope="module", autouse=True)
def _embedded_once() -> Iterator[None]:
    with embedded_once():
        yield


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> dict[str, list[Path]]:
    return write_sounds(tmp_path_factory.mktemp("sounds"), clips=4)


@pytest.fixture(scope="module")
def saved(sounds, tmp_path_factory) -> Path:
    """A model of hum and hiss."""
    folder = tmp_path_factory.mktemp("models") / "saved"
    labelled = [(path, kind) for kind in ("hum", "hiss") for path in sounds[kind][:3]]
    FewShotClassifier(method="mgcl", epochs=1).fit(*zip(*labelled, strict=True)).save(folder)
    return folder


@pytest.fixture
def session(saved, tmp_path) -> "Session":
    from mgcl.classifier.demo import Session

    for file in saved.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return Session(FewShotClassifier.load(tmp_path), tmp_path)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """For tests of what is answered: its reasons stand in place of the page with their pictures."""
    monkeypatch.setattr("mgcl.classifier.demo.why", lambda reasons, *_, **__: json.dumps(reasons.to_json()))


def test_a_clip_gets_probabilities_and_pictures_as_the_classifier_has_them(session, sounds) -> None:
    clip = sounds["hum"][3]
    probabilities, why = session.classify(str(clip))
    expected = session.classifier.predict_proba([clip])[0]
    assert list(probabilities.values()) == pytest.approx(list(expected), abs=1e-6)
    assert f"<h2>hum-3.wav: hum ({100 * probabilities['hum']:.0f} %)</h2>" in why
    assert why.count("<svg") == 3


def test_no_clip_gets_no_answer(session) -> None:
    assert session.classify(None) == (None, "")


@pytest.mark.usefixtures("undrawn")
def test_a_new_class_is_there_at_once_and_kept_only_when_asked(session, sounds) -> None:
    before = (session.folder / "model.json").read_bytes()
    said = session.add_class(" beeps ", [str(path) for path in sounds["beeps"][:3]], "")
    assert said == "Learnt beeps from 3 clips; it is not saved yet. The classes are beeps, hiss, hum."
    probabilities, _ = session.classify(str(sounds["beeps"][3]))
    assert max(probabilities, key=probabilities.get) == "beeps"
    assert (session.folder / "model.json").read_bytes() == before
    assert session.keep() == f"Saved in {session.folder}: 3 classes."
    assert list(FewShotClassifier.load(session.folder).classes_) == ["beeps", "hiss", "hum"]


def test_sentences_of_a_visitor_are_what_the_class_is_compared_with(session, sounds) -> None:
    sentences = [f"short electronic beeps, {number}" for number in range(8)]
    session.add_class("beeps", [str(path) for path in sounds["beeps"]], "\n".join(["", *sentences, " "]))
    assert session.classifier.explain(sounds["hum"][3]).explanations["beeps"] == tuple(sentences)


def test_one_clip_of_a_class_is_warned_of(session, sounds) -> None:
    learnt, warned = session.add_class("beeps", [str(sounds["beeps"][0])], "").splitlines()
    assert learnt.startswith("Learnt beeps from 1 clip;")
    assert warned.startswith("a class has fewer than 2 clips")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("name", "clips", "sentences", "said"),
    [
        ("", ["beeps"], "", "Give the class a name and a few clips."),
        ("beeps", None, "", "Give the class a name and a few clips."),
        ("beeps", ["text"], "", "text.wav: cannot be decoded, whatever its name says"),
        ("beeps", ["hum"], "", "hum-0.wav (hum)"),
        ("beeps", ["beeps"], "one sentence", "class 'beeps' has 1 explanations and 'hiss' 8"),
    ],
    ids=["no name", "no clips", "text", "a sound of another class", "too few sentences"],
)
def test_what_is_wrong_is_said_and_nothing_changes(session, sounds, name, clips, sentences, said) -> None:
    files = clips and [uploaded(sounds[clip][0]) if clip in sounds else a_text() for clip in clips]
    answer = session.add_class(name, files, sentences)
    assert said in answer
    assert os.environ["GRADIO_TEMP_DIR"] not in answer
    assert list(session.classifier.classes_) == ["hiss", "hum"]
    assert session.classify(str(sounds["hum"][3]))[0].keys() == {"hiss", "hum"}


def test_a_clip_that_is_none_is_answered_with_its_sentence(session) -> None:
    probabilities, why = session.classify(a_text("<i>.wav"))
    assert probabilities is None
    assert why.startswith('<p role="alert">&lt;i&gt;.wav: cannot be decoded, whatever its name says')


def uploaded(file: Path) -> str:
    """Where gradio would put it."""
    folder = Path(os.environ["GRADIO_TEMP_DIR"]) / "0123abc"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file.name).write_bytes(file.read_bytes())
    return str(folder / file.name)


def a_text(name: str = "text.wav") -> str:
    folder = Path(os.environ["GRADIO_TEMP_DIR"]) / "4567def"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("no sound")
    return str(folder / name)


@pytest.fixture(autouse=True)
def upload_folder(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))


def test_a_folder_that_cannot_be_written_to_is_said(session) -> None:
    inside = replace(session, folder=session.folder / "model.json")
    assert inside.keep() == f"{inside.folder}: File exists; mend that, and keep it again"


@pytest.mark.usefixtures("undrawn")
def test_visitors_at_once_wait_for_each_other(session, sounds) -> None:
    clips = [str(sounds[kind][3]) for kind in ("hum", "hiss")]
    alone = [session.classify(clip) for clip in clips]
    with ThreadPoolExecutor(4) as visitors:
        added = visitors.submit(session.add_class, "beeps", [str(path) for path in sounds["beeps"][:3]], "")
        found = list(visitors.map(session.classify, clips))
    assert added.result().startswith("Learnt beeps")
    after = [session.classify(clip) for clip in clips]
    assert all(each in (alone[place], after[place]) for place, each in enumerate(found))


def test_a_model_with_captions_of_its_own_is_refused(session) -> None:
    from mgcl.classifier.demo import serve

    known = session.classifier.model_
    session.classifier.model_ = replace(known, choices=None)
    with pytest.raises(ClassifierError, match="captions of your own"):
        serve(session, host="127.0.0.1", port=1, browser=False)


def test_add_pressed_twice_counts_the_clips_once(session, sounds) -> None:
    """Perch #622."""
    clips = [str(path) for path in sounds["beeps"][:2]]
    session.add_class("beeps", clips, "")
    count = len(session.classifier.model_.examples.names)
    said, warned = session.add_class("beeps", clips, "").splitlines()
    assert said == "Nothing is new in these clips: they count once. The classes are beeps, hiss, hum."
    assert warned.endswith("each counts once")
    assert len(session.classifier.model_.examples.names) == count
