"""Labelling: the file of labels, what is asked next, fits, and the server, without a browser."""

import errno
import http.client
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from mgcl import FewShotClassifier
from mgcl.classifier import embedding
from mgcl.classifier.index.building import extended
from mgcl.classifier.index.header import Header
from mgcl.classifier.index.index import Index
from mgcl.classifier.labelling.choosing import Pool, drawn, farthest, least_margin, nearest, pool_rows
from mgcl.classifier.labelling.labels import Label, LabelFile, label_file, said
from mgcl.classifier.labelling.learning import probabilities, start
from mgcl.classifier.labelling.server import Server
from mgcl.classifier.labelling.session import RANDOM_EVERY, Session
from mgcl.cli import main
from mgcl.errors import ClassifierError, DataError, MgclError
from tests.generated_backbone import Bands
from tests.generated_sounds import RATE, waveform

pytestmark = [
    pytest.mark.usefixtures("bands", "unchecked_shapes"),
    pytest.mark.filterwarnings("ignore::mgcl.errors.MgclWarning"),
]
KINDS = ("hum", "beeps", "siren", "hum", "hiss", "beeps", "siren", "hum")


@pytest.fixture(scope="module")
def bands() -> Iterator[None]:
    """The catalogue has the backbone of these tests, whose weights are other ones under the name others."""

    def load(_kind: str, name: str) -> SimpleNamespace:
        def loaded(_weights: str | None, _device: str) -> Bands:
            backbone = Bands()
            backbone.fingerprint = {"bands": Bands.fingerprint, "others": "f" * 16}[name]
            return backbone

        return SimpleNamespace(load=loaded)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "load", load)
        embedding.loaded_backbone.cache_clear()
        yield
    embedding.loaded_backbone.cache_clear()


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Index:
    """Five recordings of eight windows side by side; window k of each is of ``KINDS[k]``."""
    folder, paths = tmp_path_factory.mktemp("index"), []
    for number in range(5):
        samples = np.concatenate([waveform(kind, 10 * number + place) for place, kind in enumerate(KINDS)])
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], samples, RATE)
    header = Header.of("bands", None, Bands(), window=2.0, hop=2.0, channels="average")
    with extended(folder / "index", header) as building:
        assert [error for _, error in building.embed(Bands(), paths) if error] == []
    return Index.open(folder / "index")


def begun(index: Index, *classes: str, model: FewShotClassifier | None = None) -> Any:
    return start(index, model or FewShotClassifier("bands"), classes, weights=None, device="cpu")


def asked(session: Session) -> dict[str, Any]:
    return session.state()["question"]


def truth(index: Index, row: int) -> str:
    return KINDS[round(index.starts[row] / 2)]


def say(session: Session, count: int) -> None:
    """Answer as one who knows, with yes and no alone, and wait for each fit."""
    for _ in range(count):
        question = asked(session)
        kind = truth(session.board.index, question["row"])
        session.answer(question["row"], question["label"], "yes" if kind == question["label"] else "no")
        if (thread := session._thread) is not None:
            thread.join()


def label(answer: str, name: str = "dog", onset: float = 1.5, chosen: str = "margin") -> Label:
    return Label("2026-11-30T10:00:00+00:00", "/a, b.wav", onset, onset + 2, name, answer, chosen)


def test_labels_are_a_csv_that_survives_a_torn_line(tmp_path) -> None:
    file = tmp_path / "labels.csv"
    with label_file(file) as labels:
        labels.append(label("yes"))
        labels.append(label("no", "rain"))
    text = file.read_text()
    assert text.splitlines()[:2] == [
        "time,recording,onset,offset,class,answer,chosen",
        '2026-11-30T10:00:00+00:00,"/a, b.wav",1.500,3.500,dog,yes,margin',
    ]
    file.write_text(text + "2026-11-30T10:00:01+00:00,/a")
    with label_file(file) as labels:
        assert labels.labels == [label("yes"), label("no", "rain")]
        labels.append(label("undo", "rain"))
        with pytest.raises(MgclError, match="another process is labelling"), label_file(file):
            pass
    assert file.read_text().startswith(text)
    assert file.read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,label\na,b\n", "not a file of labels"),
        ("no line's end", "not a file of labels"),
        ("time,recording,onset,offset,class,answer,chosen\na,b,c,d,e,yes,g\n", "line 2: not time, recording"),
        ("time,recording,onset,offset,class,answer,chosen\na,b,1,2,e,maybe,g\n", "line 2: answer 'maybe'"),
    ],
)
def test_another_file_is_refused_and_left_as_it_is(text, expected, tmp_path) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=expected), label_file(tmp_path / "labels.csv"):
        pass
    assert (tmp_path / "labels.csv").read_text() == text


def test_what_labels_amount_to() -> None:
    rows = [label("no", "rain"), label("yes"), label("undo"), label("undo"), label("undo"), label("skip", onset=9)]
    key = label("yes").key
    assert said(rows[:1])[key].denied == {"rain"}
    assert (said(rows[:2])[key].label, said(rows[:3])[key].label) == ("dog", None)
    assert said(rows[:4]) == said(rows[:5]) == {}
    assert said(rows)[label("yes", onset=9).key].skipped
    assert said([label("yes"), label("no")])[key].label is None
    assert said([label("yes"), label("yes", "rain")])[key].label == "rain"


def test_windows_are_chosen_by_margin_class_or_chance() -> None:
    pool = Pool(np.array([3, 5, 8]), np.array([[0.5, 0.1], [0.3, 0.2], [0.2, 0.7]]), np.array([0.4, 0.1, 0.5]))
    everything, rest = np.ones(3, bool), np.array([True, False, True])
    assert (least_margin(pool, everything), least_margin(pool, rest)) == (5, 3)
    assert (nearest(pool, 0, everything), nearest(pool, 1, everything), nearest(pool, 1, ~everything)) == (3, 8, None)
    assert least_margin(replace(pool, margins=None), everything) is None
    assert (farthest(pool, everything), farthest(pool, rest)) == (5, 3)
    counts = np.bincount([drawn(np.array([1, 4]), seed) for seed in range(200)], minlength=5)
    assert counts[1] + counts[4] == 200 and 70 < counts[1] < 130
    assert drawn(np.array([], int), 0) is None
    cosines, usable = np.random.default_rng(0).random((3000, 2), np.float32), np.arange(3000) % 2 == 0
    rows = pool_rows(cosines, usable, seed=1)
    assert usable[rows].all() and len(set(rows.tolist())) == len(rows) <= 1500
    assert {int(np.where(usable, column, -1).argmax()) for column in cosines.T} <= set(rows.tolist())


def test_a_model_is_learnt_from_names_alone_and_kept_apart_from_tests(index, tmp_path) -> None:
    with label_file(tmp_path / "labels.csv") as labels:
        session = Session(begun(index, "beeps", "siren"), labels, out=tmp_path / "model")
        assert (session.classifier, asked(session)["chosen"]) == (None, "nearest")
        say(session, 36)
        session.finish()
        state = session.state()
        rows, kinds = session.board.labelled()
        tests, true = session.board.labelled(tests=True)
    assert state["labels"] == len(rows) == state["fitted_on"] and state["tests"] == len(tests) >= len(rows) // 5
    assert not set(rows.tolist()) & set(tests.tolist())
    expected = [truth(index, row) if truth(index, row) in ("beeps", "siren") else "background" for row in rows.tolist()]
    assert kinds == expected
    assert [point["labels"] for point in state["curve"]][-1] == len(rows)
    answers = session.classifier.classes_[probabilities(session.classifier, index, tests).argmax(1)]
    right = sum(answer == kind for answer, kind in zip(answers, true, strict=True))
    assert (state["curve"][-1]["tested"], state["curve"][-1]["right"]) == (len(tests), right)
    saved = FewShotClassifier.load(tmp_path / "model")
    assert list(saved.classes_) == ["background", "beeps", "siren"]
    assert list(saved.predict([(waveform("beeps", 99), RATE), (waveform("siren", 99), RATE)])) == ["beeps", "siren"]


def test_who_comes_back_finds_all_as_it_was(index, tmp_path) -> None:
    file = tmp_path / "labels.csv"
    with label_file(file) as labels:
        session = Session(begun(index, "beeps", "siren"), labels)
        say(session, 30)
        session.finish()
        board, logits = session.board, session.classifier.logits([(waveform("hum", 99), RATE)])
    with label_file(file) as labels:
        again = Session(begun(index, "beeps", "siren"), labels)
        assert again.board.by_row == board.by_row
        assert again.board.labelled()[1] == board.labelled()[1]
        assert (again.classifier.logits([(waveform("hum", 99), RATE)]) == logits).all()


def test_undo_asks_again_and_is_a_row_of_its_own(index, tmp_path) -> None:
    with label_file(tmp_path / "labels.csv") as labels:
        session = Session(begun(index, "beeps", "siren"), labels)
        session.undo()
        assert labels.labels == []
        first = asked(session)
        session.answer(first["row"], first["label"], "no")
        second = asked(session)
        assert (second["row"], second["label"] != first["label"]) == (first["row"], True)
        session.answer(first["row"], "background", "yes")
        assert session.state()["counts"] == {"background": 1} and asked(session)["row"] != first["row"]
        session.undo()
        assert (asked(session)["row"], asked(session)["label"]) == (second["row"], second["label"])
        session.undo()
        assert asked(session) == first
        assert [each.answer for each in labels.labels] == ["no", "yes", "undo", "undo"]
        session.answer(first["row"], first["label"], "skip")
        assert asked(session)["row"] != first["row"] and session.state()["counts"] == {}


def test_a_model_to_begin_with_asks_for_the_least_margin(index, tmp_path) -> None:
    clips = {kind: [(waveform(kind, 50 + number), RATE) for number in range(3)] for kind in ("beeps", "siren", "hum")}
    labelled = [(clip, kind) for kind, own in clips.items() for clip in own]
    model = FewShotClassifier("bands").fit(*zip(*labelled, strict=True))
    with label_file(tmp_path / "labels.csv") as labels:
        session = Session(begun(index, "hiss", model=model), labels)
        assert session.state()["classes"] == ("beeps", "hum", "siren", "hiss")
        assert (asked(session)["chosen"], asked(session)["label"]) == ("nearest", "hiss")
        session.choose("nearest", "siren")
        assert truth(index, asked(session)["row"]) == asked(session)["label"] == "siren"
        session.choose("margin", "siren")
        say(session, 3)
        session.finish()
        assert len(session.classifier.model_.examples.names) == 9 + len(session.board.labelled()[0])
        assert len(model.model_.examples.names) == 9  # the model to begin with is not changed
        with pytest.raises(ClassifierError, match="choose one of margin, nearest, random"):
            session.choose("best", "siren")


def test_every_fifth_window_is_drawn_and_all_may_be_labelled(index, tmp_path) -> None:
    with label_file(tmp_path / "labels.csv") as labels:
        session = Session(begun(index, "beeps"), labels)
        chosen = []
        while (question := asked(session)) is not None:
            chosen.append(question["chosen"])
            session.answer(question["row"], "beeps", "skip" if len(chosen) % 3 else "no")
        session.finish()
    assert len(chosen) == len(index) and set(chosen[RANDOM_EVERY - 1 :: RANDOM_EVERY]) == {"random"}
    assert session.state()["window"] is None


def test_a_full_disk_loses_no_answer_in_silence(index, tmp_path, monkeypatch) -> None:
    with label_file(tmp_path / "labels.csv") as labels:
        session = Session(begun(index, "beeps"), labels)
        question = asked(session)

        def full(_file: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
            patch.setattr("mgcl.classifier.labelling.labels.os.fsync", full)
            session.answer(question["row"], "beeps", "no")
        assert (asked(session), labels.labels) == (question, [])
        session.answer(question["row"], "beeps", "no")
    with label_file(tmp_path / "labels.csv") as labels:
        assert len(labels.labels) == 1


@contextmanager
def served(index: Index, labels: LabelFile) -> Iterator[Any]:
    """A function that sends a request: (path, given, headers) -> status and content."""
    with Server(Session(begun(index, "beeps", "siren"), labels), {"model": "--model"}, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def ask(path: str, given: object = None, **headers: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(*server.server_address)
            headers = {"Host": server.name, **{name.replace("_", "-"): each for name, each in headers.items()}}
            body = None if given is None else json.dumps(given)
            kind = {} if given is None else {"Content-Type": "application/json"}
            connection.request("GET" if given is None else "POST", path, body, kind | headers)
            response = connection.getresponse()
            content = response.read()
            connection.close()
            return response.status, content

        try:
            yield ask
        finally:
            server.shutdown()
            thread.join()
            server.session.finish()


def test_the_server_answers_its_own_page_alone(index, tmp_path) -> None:
    with label_file(tmp_path / "labels.csv") as labels, served(index, labels) as ask:
        status, page = ask("/")
        assert (status, b"<audio" in page, b"https://" in page) == (200, True, False)
        state = json.loads(ask("/state")[1])
        row, name = state["question"]["row"], state["question"]["label"]
        status, sound = ask(f"/sound?row={row}")
        assert (status, sound[:4], len(sound)) == (200, b"RIFF", 44 + 2 * 2 * RATE)
        status, content = ask("/answer", {"row": row, "label": name, "answer": "yes"})
        assert (status, json.loads(content)["counts"]) == (200, {name: 1})
        assert json.loads(ask("/undo", {})[1])["counts"] == {}
        assert json.loads(ask("/choose", {"mode": "random", "nearest_to": name})[1])["mode"] == "random"

        state = json.loads(ask("/state")[1])
        given = {"row": state["question"]["row"], "label": "beeps", "answer": "yes"}
        for expected, path, wrong, headers in (
            (403, "/answer", given, {"Host": "elsewhere.example"}),
            (403, "/state", None, {"Host": "elsewhere.example"}),
            (403, "/answer", given, {"Content_Type": "text/plain"}),
            (409, "/answer", {**given, "row": -1}, {}),
            (409, "/answer", {**given, "label": "dog"}, {}),
            (400, "/answer", {}, {}),
            (400, "/other", given, {}),
            (400, "/sound?row=x", None, {}),
            (400, "/sound?row=9999", None, {}),
            (404, "/labels.csv", None, {}),
        ):
            assert ask(path, wrong, **headers)[0] == expected, (path, wrong, headers)
        assert [each.answer for each in labels.labels] == ["yes", "undo"]


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_what_is_wrong_is_one_line(index, tmp_path, capsys) -> None:
    clips = [[(waveform(kind, 50 + number), RATE) for number in range(2)] for kind in ("beeps", "hum")]
    FewShotClassifier("others").fit([*clips[0], *clips[1]], ["beeps"] * 2 + ["hum"] * 2).save(tmp_path / "other")
    FewShotClassifier("bands").fit([*clips[0], *clips[1]], [1, 1, 2, 2]).save(tmp_path / "numbers")
    several = FewShotClassifier("bands", method="prototypical", multi_label=True)
    several.fit([*clips[0], *clips[1]], [["beeps"]] * 2 + [["hum"]] * 2).save(tmp_path / "several")
    rejecting = FewShotClassifier("bands", method="prototypical", reject_label="none")
    rejecting.fit([*clips[0], *clips[1]], ["beeps"] * 2 + ["hum"] * 2, background=[(waveform("siren", 1), RATE)])
    rejecting.save(tmp_path / "rejecting")
    (tmp_path / "labels.csv").write_text("path,label\n")
    for arguments, expected in (
        ((tmp_path, "--classes", "dog"), "no index of recordings; `mgcl index` makes one"),
        ((index.path,), "name one (--classes), or a model that knows one (--model)"),
        ((index.path, "--model", tmp_path), "a model is a folder that `mgcl fit` wrote"),
        ((index.path, "--model", tmp_path / "other"), "and the model with others of ffffffffffffffff"),
        ((index.path, "--model", tmp_path / "numbers"), "the model's classes are numbers"),
        ((index.path, "--model", tmp_path / "several"), "the model gives a clip several labels"),
        ((index.path, "--model", tmp_path / "rejecting"), "the model has a background of its own"),
        ((index.path, "--model", tmp_path / "other", "--out", tmp_path / "other"), "is --model, whose clips"),
        ((index.path, "--classes", "dog", "--labels", tmp_path / "labels.csv"), "name another --labels"),
        ((index.path, "--classes", "dog", "--out", tmp_path / "labels.csv"), "is a file; name another place"),
    ):
        code, _, errors = run(capsys, "label", *arguments, "--port", 0, "--no-browser")
        assert (code, errors.count("\n")) == (2, 1), errors
        assert expected in errors
