"""A classifier of a user's own sounds, on sounds that a few lines of numpy make."""

import hashlib
import json
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mgcl import FewShotClassifier
from mgcl.backbones import tiny
from mgcl.classifier import calibration, storage
from mgcl.classifier.given import Stretch
from mgcl.classifier.scores import calibration_error, judge, scores
from mgcl.classifier.windows import windows
from mgcl.errors import BackboneError, ClassifierError, DataError, MgclWarning
from mgcl.methods.method import Prediction
from mgcl.records import digest
from tests.generated_backbone import embedded_once
from tests.generated_sounds import KINDS, RATE, waveform

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
SECONDS = 5.0


@pytest.fixture(scope="module", autouse=True)
def _embedded_once() -> Iterator[None]:
    with embedded_once():
        yield


def sound(kind: str, number: int, seconds: float = SECONDS) -> np.ndarray:
    return waveform(kind, number, seconds)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for kind in KINDS:
        (root / kind).mkdir()
        for number in range(6):
            soundfile.write(root / kind / f"{number}.wav", sound(kind, number), RATE)
    return root


def clips(folder: Path, numbers=range(3), kinds=KINDS) -> tuple[list[Path], list[str]]:
    return [folder / kind / f"{n}.wav" for kind in kinds for n in numbers], [kind for kind in kinds for _ in numbers]


@pytest.fixture(scope="module")
def fitted(folder) -> FewShotClassifier:
    return FewShotClassifier(method="mgcl", epochs=1).fit(*clips(folder))


def test_it_recognises_new_clips_and_says_how_sure_it_is(fitted, folder) -> None:
    paths, labels = clips(folder, range(3, 6))
    assert fitted.score(paths, labels) == 1
    shares = fitted.predict_proba(paths)
    assert shares.sum(1) == pytest.approx(1)
    assert list(fitted.classes_[shares.argmax(1)]) == list(fitted.predict(paths)) == labels


def test_the_decision_does_not_depend_on_the_temperature(fitted, folder) -> None:
    paths, _ = clips(folder, range(3, 6))
    logits = fitted.logits(paths)
    assert (logits.argmax(1) == fitted.predict_proba(paths).argmax(1)).all()
    expected = torch.tensor(logits).double().div(fitted.temperature_).softmax(1)
    assert fitted.predict_proba(paths) == pytest.approx(expected.numpy())


def test_files_and_arrays_are_the_same_clips(fitted, folder) -> None:
    paths, labels = clips(folder)
    arrays = [soundfile.read(path, dtype="float32")[0] for path in paths]
    for given in (arrays, np.stack(arrays)):
        again = FewShotClassifier(method="mgcl", epochs=1, sample_rate=RATE).fit(given, labels)
        assert (again.logits(paths) == fitted.logits(paths)).all()
    pcm = [(32768 * array).astype(np.int16) for array in arrays]
    assert again.logits(pcm) == pytest.approx(again.logits(arrays), abs=0.05)
    with pytest.warns(MgclWarning, match="arrays are taken to be at 16000 Hz"):
        fitted.predict(arrays)
    halved = [array[::2] for array in arrays]  # of half the rate, roughly
    assert FewShotClassifier(sample_rate=RATE // 2).fit(halved, labels).score(halved, labels) == 1


def test_adding_classes_is_fitting_on_everything(folder) -> None:
    first, second = clips(folder, kinds=("hiss", "siren")), clips(folder, kinds=("beeps", "hum"))
    more = clips(folder, range(3, 5), kinds=("hiss",))
    grown = FewShotClassifier(method="mgcl", epochs=1).fit(*first).add_classes(*second).add_classes(*more)
    at_once = FewShotClassifier(method="mgcl", epochs=1).fit(
        first[0] + second[0] + more[0], first[1] + second[1] + more[1]
    )
    paths, _ = clips(folder, range(5, 6))
    assert list(grown.classes_) == sorted(KINDS)
    assert (grown.logits(paths) == at_once.logits(paths)).all()
    assert grown.temperature_ == at_once.temperature_


def test_saved_and_loaded_it_answers_alike(fitted, folder, tmp_path) -> None:
    fitted.save(tmp_path / "model")
    again = FewShotClassifier.load(tmp_path / "model")
    paths, _ = clips(folder)
    assert (again.logits(paths) == fitted.logits(paths)).all()
    assert (again.temperature_, again.threshold_, list(again.classes_)) == (
        fitted.temperature_, fitted.threshold_, list(fitted.classes_)
    )  # fmt: skip
    assert again.get_params() == {**fitted.get_params(), "backbone": "tiny"}, "the backbone that was taken is saved"
    assert {file.name for file in (tmp_path / "model").iterdir()} == {storage.FACTS, storage.TENSORS}
    again.add_classes(*clips(folder, range(3, 4), kinds=("hum",)))  # a loaded one learns on


def _changed(file: Path, **changes) -> None:
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | changes))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: _changed(folder / "model.json", temperature=1.0), "model.json: changed since it was saved"),
        (lambda folder: _changed(folder / "model.json", format=6), "of format 6, and this mgcl reads up to 5"),
        (lambda folder: (folder / "model.json").write_text("[]"), "not a model that `mgcl fit` wrote"),
        (lambda folder: (folder / "model.json").unlink(), "no such file"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no such file"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"1"), "model.safetensors: changed since"),
    ],
)
def test_a_model_that_is_not_as_it_was_saved_is_refused(fitted, tmp_path, spoil, words) -> None:
    fitted.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=words):
        FewShotClassifier.load(tmp_path)


def test_a_model_is_refused_by_another_backbone(fitted, tmp_path, folder) -> None:
    fitted.save(tmp_path / "model")
    config = tiny.Config(vocabulary=400, width=32, embedding_dim=16, codewords=8, score_temperature=30.0)
    tokenizer = tiny.train_tokenizer(["a hum", "a hiss"])
    torch.manual_seed(0)
    tiny.save(tiny.make_model(config), config, tokenizer, ["a hum"], tmp_path / "weights")
    with pytest.raises(DataError, match="name those that it was fitted with"):
        FewShotClassifier.load(tmp_path / "model", weights=str(tmp_path / "weights"))
    with pytest.raises(BackboneError, match="missing"):
        FewShotClassifier.load(tmp_path / "model", weights=str(folder))


def test_none_of_these(folder) -> None:
    known = KINDS[:3]
    classifier = FewShotClassifier(method="mgcl", epochs=1, reject_label="?").fit(*clips(folder, range(4), kinds=known))
    paths, labels = clips(folder, range(4, 6), kinds=known)
    turned_away = list(classifier.predict(clips(folder, kinds=KINDS[3:])[0]))
    assert turned_away == ["?"] * 3
    assert np.mean(classifier.predict(paths) == labels) >= 0.5
    with pytest.raises(ClassifierError, match="it needs 3 classes of 2 clips each"):
        FewShotClassifier(method="mgcl", epochs=1, reject_label="?").fit(*clips(folder, kinds=known[:2]))


def test_numbers_are_labels_too(folder) -> None:
    paths, labels = clips(folder)
    numbers = [KINDS.index(label) for label in labels]
    classifier = FewShotClassifier(method="mgcl", epochs=1, reject_label=-1).fit(paths, numbers)
    assert classifier.predict(paths).dtype == classifier.classes_.dtype == np.array(numbers).dtype


def test_a_single_clip_a_class_warns_that_its_probabilities_are_the_packages(folder) -> None:
    with pytest.warns(MgclWarning, match="which was measured on other sounds"):
        classifier = FewShotClassifier(method="mgcl", epochs=1).fit(*clips(folder, range(1)))
    logits = torch.from_numpy(classifier.model_.logits(classifier.model_.support.clips))
    assert classifier.temperature_ == calibration.PRIOR_TEMPERATURE * calibration.spread(logits)


UNITS = ("multi_grained_kernel", "cross_modal_probe", "proker", "ridge", "knn")


@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize("method", UNITS)
@pytest.mark.filterwarnings("ignore:a class has fewer")
def test_probabilities_are_sure_of_easy_sounds_whatever_the_unit_of_the_scores(method, shots, folder) -> None:
    classifier = FewShotClassifier(method=method).fit(*clips(folder, range(shots)))
    paths, labels = clips(folder, range(3, 5))
    right = [list(classifier.classes_).index(label) for label in labels]
    assert classifier.predict_proba(paths)[np.arange(len(paths)), right].mean() > 0.75


def test_the_temperature_has_the_unit_of_the_scores(folder) -> None:
    model = FewShotClassifier(method="ridge").fit(*clips(folder)).model_

    class Louder:
        least_shots, fit = model.learner.least_shots, model.learner.fit

        def predict(self, fitted, given) -> Prediction:
            return Prediction({"louder": 1000 * model.learner.predict(fitted, given).logits})

    louder = calibration.temperature(model.support, Louder(), model.fitted, seed=int(model.support.seeds))
    assert louder == pytest.approx(1000 * model.temperature, rel=1e-3)


def test_where_no_clip_is_wrong_the_temperature_stays_above_zero() -> None:
    logits = 50 * torch.eye(4)
    assert calibration.best_temperature(logits, torch.arange(4), prior=2.0) == pytest.approx(2.0, rel=0.5)


def test_the_temperature_is_that_of_least_log_loss_where_there_are_many_clips() -> None:
    random = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20000, 5, generator=random)
    labels = (logits / 2.0).softmax(1).multinomial(1, generator=random)[:, 0]
    assert calibration.best_temperature(logits, labels, prior=20.0) == pytest.approx(2.0, rel=0.03)


def test_what_is_asked_of_clips_that_cannot_give_it(fitted, folder, tmp_path) -> None:
    paths, labels = clips(folder)
    with pytest.raises(ClassifierError, match="of one class, 'hum'"):
        FewShotClassifier().fit(paths[:2], ["hum", "hum"])
    with pytest.raises(TypeError, match="no option is called alhpa; there are: alpha, "):
        FewShotClassifier(method="mgcl", alhpa=1)
    with pytest.raises(ClassifierError, match="alpha must be at least 0"):
        FewShotClassifier(method="mgcl", alpha=-1.0).fit(paths, labels)
    with pytest.raises(ClassifierError, match="leave_one_out needs 2 shots"):
        FewShotClassifier(method="mgcl", leave_one_out=True).fit(*clips(folder, range(1)))
    with pytest.raises(ClassifierError, match=r"write \['one.wav'\]"):
        fitted.predict("one.wav")
    with pytest.raises(ClassifierError, match="without captions"):
        fitted.predict(paths, captions=["a hum"] * len(paths))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "film.mp4").write_bytes(b"1234")
    with pytest.raises(DataError, match=r"empty.wav: is empty \(0 bytes\).*text.wav: cannot be decoded, whatever"):
        FewShotClassifier().fit([*paths, tmp_path / "empty.wav", tmp_path / "text.wav"], [*labels, "hum", "hum"])
    with pytest.raises(DataError, match=r"film.mp4: is a video; take its sound out: ffmpeg"):
        fitted.predict([tmp_path / "film.mp4"])


def test_labels_that_are_missing_or_mean_two_things(folder) -> None:
    paths, labels = clips(folder)
    for missing in (None, "", float("nan")):
        with pytest.raises((ClassifierError, ValueError), match=r"label is missing|contains NaN"):
            FewShotClassifier(method="mgcl", epochs=1).fit(paths, np.array([*labels[1:], missing], dtype=object))
    with pytest.raises(ClassifierError, match="`reject_label` is 'hum', which is a class too"):
        FewShotClassifier(reject_label="hum").fit(paths, labels)
    others = FewShotClassifier(method="mgcl", epochs=1, reject_label="hum").fit(
        *clips(folder, kinds=[kind for kind in KINDS if kind != "hum"])
    )
    with pytest.raises(ClassifierError, match="`reject_label` is 'hum'"):
        others.add_classes(*clips(folder, kinds=["hum"]))
    with pytest.raises(ClassifierError, match="no clips were given"):
        FewShotClassifier().fit([], [])


def test_silence_is_said_and_is_none_of_the_classes(fitted, folder, tmp_path) -> None:
    quiet = tmp_path / "quiet.wav"
    soundfile.write(quiet, np.zeros(RATE), RATE)
    (answer,) = fitted.answers([quiet])
    assert answer.silent
    assert answer.label in KINDS
    classifier = FewShotClassifier(method="mgcl", epochs=1, reject_label="?").fit(*clips(folder))
    assert list(classifier.predict([quiet])) == ["?"]
    paths, labels = clips(folder)
    with pytest.warns(MgclWarning, match=r"quiet\.wav: is silent"):
        FewShotClassifier(method="mgcl", epochs=0).fit([*paths, quiet], [*labels, "hum"])


def test_a_sample_that_no_recording_has_is_refused(fitted, tmp_path) -> None:
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, sound("hum", 0) * 1e30, RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"loud\.wav: a sample is \d.*e\+29, where full scale is 1"):
        fitted.predict([loud])
    with pytest.raises(DataError, match="where full scale is 1"):
        list(fitted.windows(loud, every=5))
    with pytest.raises(ClassifierError, match=r"clip 1: a sample is \d"):
        fitted.predict([sound("hum", 0), sound("hum", 0) * 1e30])


def test_one_sound_under_two_names(folder, tmp_path) -> None:
    paths, labels = clips(folder)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(paths[0].read_bytes())
    with pytest.raises(DataError, match=r"copy.wav \(beeps\) is the same sound as .*0.wav \(hum\)"):
        FewShotClassifier().fit([*paths, copy], [*labels, "beeps"])
    with pytest.warns(MgclWarning, match="each counts once"):
        FewShotClassifier(method="mgcl", epochs=0).fit([*paths, copy], [*labels, "hum"])


def test_own_captions_are_needed_to_predict_too(folder) -> None:
    paths, labels = clips(folder)
    captions = [f"a sound of {label}" for label in labels]
    classifier = FewShotClassifier(method="mgcl", epochs=1).fit(paths, labels, captions=captions)
    with pytest.raises(ClassifierError, match="give theirs: `captions`"):
        classifier.predict(paths)
    assert list(classifier.predict(paths, captions)) == labels
    assert [answer.label for answer in classifier.answers(paths, captions)] == labels
    assert classifier.explain(paths[0], captions[0]).caption == captions[0]


def test_a_backbone_without_captions_is_told_once_and_goes_by_audio(folder, tmp_path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((tiny.SHIPPED / name).read_bytes())
    (tmp_path / "captions.txt").touch()
    with pytest.warns(MgclWarning, match="clips are known by audio alone"):
        mute = FewShotClassifier(method="mgcl", epochs=1, weights=str(tmp_path)).fit(*clips(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        deaf = FewShotClassifier(method="mgcl", epochs=1, fusion="audio").fit(*clips(folder))
    paths, _ = clips(folder, range(3, 6))
    assert (mute.logits(paths) == deaf.logits(paths)).all()


@pytest.mark.parametrize(
    "options",
    [{}, {"matching": "uniform"}, {"matching": "best-match"}, {"entropy_weight": 0.5}, {"mean_over_shots": True},
     {"sentences": "prompt"}, {"explanations": 3, "explanation_draw": "seeded"}, {"fine_contrast": False},
     {"coarse_cache": False, "fine_cache": False, "fusion": "caption"}],
)  # fmt: skip
def test_shares_sum_to_the_logits(folder, options) -> None:
    paths, labels = clips(folder)
    paths, labels = [*paths, folder / "hum" / "3.wav"], [*labels, "hum"]  # classes of unequal size
    classifier = FewShotClassifier(method="mgcl", **options, epochs=1).fit(paths, labels)
    clip = folder / "siren" / "5.wav"
    reasons = classifier.explain(clip)
    for label, logit in zip(classifier.classes_, classifier.logits([clip])[0], strict=True):
        assert sum(part[label] for part in reasons.parts.values()) == pytest.approx(logit, rel=1e-5)
        for shares in (reasons.support, reasons.sentences):
            for part in shares[0].parts if shares else ():
                total = sum(share.parts[part] for share in shares if share.label == label)
                assert total == pytest.approx(reasons.parts[part][label], rel=1e-4, abs=1e-5)
    assert json.dumps(reasons.to_json())
    transported = options.get("matching", "transport") == "transport" and options.get("fine_contrast", True)
    assert set(reasons.plans) == (set(KINDS) if transported else set())


def test_a_clip_of_the_support_is_carried_by_itself(fitted, folder) -> None:
    clip = folder / "siren" / "1.wav"
    reasons = fitted.explain(clip)
    assert (reasons.answer.label, reasons.support[0].name, reasons.answer.in_support) == ("siren", str(clip), True)
    assert not fitted.explain(folder / "siren" / "5.wav").answer.in_support


def test_a_clip_is_opened_once(fitted, folder, monkeypatch) -> None:
    clip, opened, as_before = folder / "siren" / "5.wav", [], Path.open

    def open_and_count(path: Path, *arguments, **more):
        opened.append(path)
        return as_before(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", open_and_count)
    sound = fitted.sound(clip)
    fitted.explain(sound)
    assert opened == [clip]
    assert sound.digest == hashlib.sha256(clip.read_bytes()).hexdigest()


def test_windows_cover_a_recording(fitted, tmp_path) -> None:
    parts = [sound("hum", 9), sound("beeps", 9), sound("hiss", 9, 3.0)]
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts), RATE)
    answers = list(fitted.windows(tmp_path / "long.wav", every=5))
    assert [(answer.start, answer.label) for answer in answers[:2]] == [(0, "hum"), (5, "beeps")]
    assert answers[2].start == 8  # the last one ends where the recording does
    assert len(list(fitted.windows(tmp_path / "long.wav", every=1))) == 9
    soundfile.write(tmp_path / "short.wav", sound("hum", 8, 1.0), RATE)
    assert [(answer.start, answer.label) for answer in fitted.windows(tmp_path / "short.wav", every=5)] == [(0, "hum")]
    with pytest.raises(ClassifierError, match="positive number of seconds, got 0"):
        list(fitted.windows(tmp_path / "long.wav", every=0))
    (tmp_path / "cut.wav").write_bytes((tmp_path / "long.wav").read_bytes()[:200000])
    with pytest.raises(DataError, match=r"cut\.wav: is cut short"):
        list(fitted.windows(tmp_path / "cut.wav", every=5))
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(DataError, match="cannot be decoded"):
        list(fitted.windows(tmp_path / "text.wav", every=5))


def test_windows_are_stretches_of_the_recording(tmp_path) -> None:
    recording = sound("siren", 1, 23.0)
    soundfile.write(tmp_path / "long.wav", recording, RATE, subtype="FLOAT")
    found = list(windows(tmp_path / "long.wav", every=1.7, sample_rate=RATE, seconds=SECONDS))
    for window in found:
        start = round(window.start * RATE)
        assert (window.waveform == recording[start : start + len(window.waveform)]).all()
        assert len(window.waveform) == SECONDS * RATE
    assert found[-1].start == 18.0


def test_a_long_recording_takes_no_more_memory_than_a_minute(tmp_path) -> None:
    def peak(minutes: int) -> int:
        file = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(file, "w", 8000, 1) as out:
            for _ in range(minutes):
                out.write(np.zeros(60 * 8000, np.float32))
        tracemalloc.start()
        count = sum(1 for _ in windows(file, every=5, sample_rate=RATE, seconds=SECONDS))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == minutes * 12
        return most

    assert peak(10) < 1.2 * peak(1) + 1e5


def test_scores_by_hand() -> None:
    shares = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]])
    found = scores(shares, np.array([0, 1, 1, 1]))
    assert found.log_loss == pytest.approx(-np.log([0.8, 0.4, 0.7, 0.9]).mean())
    assert found.brier == pytest.approx(2 * np.mean([0.04, 0.36, 0.09, 0.01]))
    assert found.auroc == 1.0
    assert calibration_error(shares, np.array([0, 1, 1, 1])) == pytest.approx((0.2 + 0.6 + 0.3 + 0.1) / 4)


def test_a_verdict_counts_what_was_rightly_turned_away(fitted, folder) -> None:
    paths, labels = clips(folder, range(3, 5))
    answers = list(fitted.answers(paths))
    verdict = judge(labels, answers, None)
    assert (verdict.clips, verdict.accuracy, verdict.probabilities.auroc) == (8, 1.0, 1.0)
    with pytest.raises(ClassifierError, match="clips of bell, and the classifier knows beeps, hiss"):
        judge(["bell", *labels[1:]], answers, None)
    assert judge(["bell", *labels[1:]], answers, "none").accuracy == 7 / 8


@pytest.mark.filterwarnings("ignore::mgcl.errors.MgclWarning")  # each half has one clip a class
def test_options_can_be_searched(folder) -> None:
    search = GridSearchCV(FewShotClassifier(method="mgcl", epochs=0), {"alpha": [0.0, 1.1]}, cv=2).fit(
        *clips(folder, range(2))
    )
    assert set(search.cv_results_["param_alpha"]) == {0.0, 1.1}
    assert search.best_score_ > 0.5


def test_options_are_parameters() -> None:
    copy = clone(FewShotClassifier(method="mgcl", alpha=2.0, fusion="audio"))
    assert (copy.get_params()["alpha"], copy.alpha, copy.fusion) == (2.0, 2.0, "audio")
    assert copy.set_params(beta=3.0).beta == 3.0
    assert "alpha=2.0" in repr(copy)


def test_a_long_clip_is_the_mean_of_its_windows(fitted, tmp_path) -> None:
    long = np.concatenate([sound("hum", 8), sound("hiss", 8), sound("hiss", 9, 2.0)])
    soundfile.write(tmp_path / "long.wav", long, RATE, subtype="FLOAT")
    windows = [(part, RATE) for part in (long[: 5 * RATE], long[5 * RATE : 10 * RATE], long[-5 * RATE :])]
    expected = fitted.logits(windows).mean(0)
    paths = [folder_clip := tmp_path / "long.wav", Stretch(folder_clip, 0.0, 12.0)]
    for given in (*paths, (long, RATE)):
        assert fitted.logits([given])[0] == pytest.approx(expected, abs=1e-3)
    (answer,) = fitted.answers([Stretch(tmp_path / "long.wav", 0.0, 10.0)])
    assert (answer.start, answer.stop) == (0, 10)
    one = clone(fitted).set_params(one_window=True)
    one.model_, one.backbone_, one.classes_ = fitted.model_, fitted.backbone_, fitted.classes_
    cropped = fitted.sound(tmp_path / "long.wav")
    assert one.logits([tmp_path / "long.wav"]) == pytest.approx(one.logits([(cropped.waveform, RATE)]), abs=1e-3)


def test_a_model_of_older_mgcl_takes_one_window(fitted, tmp_path) -> None:
    fitted.save(tmp_path)
    assert not FewShotClassifier.load(tmp_path).one_window
    facts = json.loads((tmp_path / "model.json").read_text())
    del facts["estimator"]["one_window"], facts["digest"]
    (tmp_path / "model.json").write_text(json.dumps({**facts, "digest": digest(facts)}))
    assert FewShotClassifier.load(tmp_path).one_window


def test_a_class_removed_or_renamed_is_a_fit_without_it_or_under_the_name(folder) -> None:
    paths, labels = clips(folder, range(2))

    def fit(names: list[str]) -> FewShotClassifier:
        return FewShotClassifier("tiny").fit(paths[: len(names)], names)

    fewer = fit(labels).remove_class("siren")
    assert (fewer.logits(paths) == fit(labels[:6]).logits(paths)).all()
    renamed = fit(labels).rename_class("beeps", "alarm")
    assert list(renamed.classes_) == ["alarm", "hiss", "hum", "siren"]
    again = fit([{"beeps": "alarm"}.get(label, label) for label in labels])
    assert (renamed.logits(paths) == again.logits(paths)).all()
    assert again.model_.classes.texts == renamed.model_.classes.texts
    with pytest.raises(ClassifierError, match="'owl' is no class of the model, which knows hiss, hum"):
        fewer.remove_class("beeps").remove_class("owl")
    with pytest.raises(ClassifierError, match="hiss is left alone"):
        fewer.remove_class("hum")
    with pytest.raises(ClassifierError, match="'hum' is a class already"):
        fewer.rename_class("hiss", "hum")
