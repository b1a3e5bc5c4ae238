"""Events from probabilities, their files, and detection in several recordings."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl.classifier import event_files
from mgcl.classifier.annotations import read
from mgcl.classifier.answers import Answer
from mgcl.classifier.detection import Detection, Thresholds, best_thresholds, cell_edges, detections
from mgcl.classifier.detector import Rules
from mgcl.classifier.event_files import Recording
from mgcl.classifier.survey import detect_all, resumed
from mgcl.classifier.windows import windows
from mgcl.errors import ClassifierError, DataError

RATE = 8000


def found(row: list[float], *, shortest: float = 0, gap: float = 0) -> list[tuple[float, float, float]]:
    edges = np.arange(len(row) + 1, dtype=float)
    rows = np.array(row, np.float32)[:, None]
    events = detections(edges, rows, {"dog": Thresholds(0.8, 0.4)}, shortest=shortest, gap=gap)
    return [(each.onset, each.offset, pytest.approx(each.probability)) for each in events]


def test_an_event_reaches_one_threshold_and_keeps_the_other() -> None:
    assert found([0.1, 0.5, 0.9, 0.4, 0.3, 0.7, 0.1]) == [(1, 4, 0.9)]
    assert found([0.9, 0.1, 0.1, 0.8]) == [(0, 1, 0.9), (3, 4, 0.8)]
    assert found([0.7, 0.7]) == found([]) == []


def test_short_pauses_are_joined_before_short_events_are_left_out() -> None:
    row = [0.9, 0.1, 0.8, 0.1, 0.1, 0.95]
    assert found(row, gap=1.5) == [(0, 3, 0.9), (5, 6, 0.95)]
    assert found(row, gap=1.5, shortest=2) == [(0, 3, 0.9)]
    assert found(row, gap=1) == [(0, 1, 0.9), (2, 3, 0.8), (5, 6, 0.95)]


def test_classes_have_their_own_thresholds_and_events_are_in_order() -> None:
    shares = np.array([[0.1, 0.6], [0.9, 0.6], [0.9, 0.0]], np.float32)
    rules = {"a": Thresholds(0.9, 0.9), "b": Thresholds(0.5, 0.5)}
    events = detections(np.arange(4.0), shares, rules, shortest=0, gap=0)
    assert [(each.label, each.onset, each.offset) for each in events] == [("b", 0, 2), ("a", 1, 3)]


def test_a_window_speaks_for_the_time_nearest_to_its_middle() -> None:
    assert cell_edges([0, 1, 1.5], [2, 3, 3.5]).tolist() == [0, 1.5, 2.25, 3.5]
    assert cell_edges([0], [2]).tolist() == [0, 2]


def test_the_best_threshold_lies_halfway_to_what_it_refuses() -> None:
    shares = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8]])
    assert best_thresholds(shares, np.eye(2, dtype=bool)[[0, 0, 1, 1]]) == pytest.approx([0.55, 0.45])
    mixed = np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.1, 0.9]])  # equal ones are accepted together
    assert best_thresholds(mixed, np.eye(2, dtype=bool)[[0, 0, 1, 1]])[0] == pytest.approx(0.35)
    assert best_thresholds(np.array([[0.3, 0.7], [0.2, 0.8]]), np.eye(2, dtype=bool)) == pytest.approx([0.25, 0.75])


def test_a_short_window_is_looped(tmp_path: Path) -> None:
    ramp = np.arange(3 * RATE, dtype=np.float32) / (4 * RATE)
    soundfile.write(tmp_path / "a.wav", ramp, RATE, subtype="FLOAT")
    cut = list(windows(tmp_path / "a.wav", every=1, sample_rate=RATE, seconds=2.0, length=1.5))
    assert [(each.start, each.stop) for each in cut] == [(0, 1.5), (1, 2.5), (1.5, 3)]
    assert (cut[1].waveform == np.resize(ramp[RATE : 5 * RATE // 2], 2 * RATE)).all()
    with pytest.raises(ClassifierError, match=r"0\.01 to 2 s"):
        next(windows(tmp_path / "a.wav", every=1, sample_rate=RATE, seconds=2.0, length=3))


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    """Two recordings of four seconds and their events."""
    found = []
    for folder, events in (("one", [(0.5, 1.25, "dog"), (2, 4, "great tit")]), ("two", [(1, 1.5, "dog")])):
        path = tmp_path / folder / "sound.v2.wav"
        path.parent.mkdir()
        soundfile.write(path, np.zeros(4 * RATE), RATE)
        found.append(Recording(str(path), [Detection(*each, 0.75) for each in events], 4.0))
    return found


@pytest.mark.parametrize("form", ["csv", "json", "raven", "audacity"])
def test_what_is_written_is_read_back(form: str, recordings: list[Recording], tmp_path: Path) -> None:
    out = tmp_path / "events" / ("found" if form == "audacity" else f"found.{form}")
    event_files.write(recordings, form, out, highest=RATE / 2)
    if form == "audacity":
        clips = [clip for name in ("one", "two") for clip in read(out / name / "sound.v2.txt", tmp_path / name)]
    else:
        clips = list(read(out))
    there = [(clip.path.resolve(), clip.start, clip.end, clip.label) for clip in clips]
    assert there == [(Path(each.path), *(e.onset, e.offset, e.label)) for each in recordings for e in each.events]
    assert len({clip.clip_id for clip in clips}) == 3


def test_raven_places_a_recording_after_the_former(recordings: list[Recording]) -> None:
    rows = [line.split("\t") for line in event_files.as_text(recordings, "raven", highest=4000).splitlines()]
    last = dict(zip(rows[0], rows[3], strict=True))
    assert (last["Begin Time (s)"], last["End Time (s)"], last["File Offset (s)"]) == ("5.000", "5.500", "1.000")
    assert (last["High Freq (Hz)"], last["Begin File"], last["Score"]) == ("4000.0", "sound.v2.wav", "0.7500")


@pytest.mark.usefixtures("recordings")
def test_annotations_of_people_are_read(tmp_path: Path) -> None:
    table = tmp_path / "one" / "sound.v2.Table.1.selections.txt"
    table.write_text(
        "Selection\tView\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
        "1\tWaveform 1\t0.5\t1\tdog\n1\tSpectrogram 1\t0.5\t1\tdog\n2\tWaveform 1\t1\t2\t\n"
    )
    (clip,) = read(table)  # one view of two, and none without a class
    assert (clip.path, clip.start, clip.end, clip.label) == (tmp_path / "one" / "sound.v2.wav", 0.5, 1, "dog")
    track = tmp_path / "two" / "sound.v2.txt"
    track.write_text("0.5\t1.5\tdog\n\\\t100\t900\n2\t3\tcat\n")
    assert [(clip.start, clip.label) for clip in read(track)] == [(0.5, "dog"), (2, "cat")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sound.v2.txt", "1\t1\tdog\n", "line 1: an event of 1 to 1 s"),
        ("sound.v2.txt", "1\t9\tdog\n", "line 1: the stretch ends at 9 s"),
        ("sound.v2.txt", "1\t2\tdog\nfirst\t2\tdog\n", "line 2: 'first' is no number of seconds"),
        ("sound.v2.txt", "1\t2\t\n", "no annotated event"),
        ("other.txt", "1\t2\tdog\n", "it is not there; `recordings` names another folder"),
        ("table.txt", "Begin Time (s)\tEnd Time (s)\tNotes\n1\t2\tdog\n", "no column of classes; name it Annotation"),
        ("events.json", "{}", "no annotated event"),
        ("events.json", '[{"path": 1}]', "not a list of objects"),
    ],
)
@pytest.mark.usefixtures("recordings")
def test_wrong_annotations_are_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "one" / name
    file.write_text(text)
    with pytest.raises(DataError, match=said) as error:
        read(file)
    assert name in str(error.value)


@pytest.mark.usefixtures("recordings")
def test_a_recording_of_one_name_in_two_places_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sound.v2.txt").write_text("1\t2\tdog\n")
    with pytest.raises(DataError, match="2 places have it"):
        read(tmp_path / "sound.v2.txt")


@dataclass
class Barking:
    """A classifier of dogs, which bark in the first half of every recording; its input are two windows."""

    classes_ = np.array(["background", "dog"])
    calls: int = 0

    def windows(self, path: Path, *, every: float, length: float):
        if not path.is_file():
            raise DataError(f"{path}: no such file")
        self.calls += 1
        for start, share, silent in ((0.0, 0.9, False), (every, 0.2, False), (2 * every, 1.0, True)):
            shares = {"background": 1 - share, "dog": share}
            yield Answer("", max(shares, key=shares.get), shares, start, start + length, silent=silent)


RULES = Rules({"dog": Thresholds(0.5, 0.4)}, window=2.0, hop=2.0, shortest=0.5)


def test_recordings_that_are_done_are_not_done_again(recordings: list[Recording], tmp_path: Path) -> None:
    paths, log, dog = [Path(each.path) for each in recordings], tmp_path / "log.jsonl", Barking()
    for expected in (2, 0):
        with resumed(log, {"hop": 2}) as survey:
            todo = [path for path in paths if not survey.has(path)]
            assert len(todo) == expected
            for path, events in detect_all(dog, todo, RULES, workers=2):
                survey.add(path, events)
    assert dog.calls == 2
    assert {each.events for each in survey.found.values()} == {(Detection(0, 2, "dog", float(np.float32(0.9))),)}
    assert survey.found[str(paths[0])].seconds == 6
    soundfile.write(paths[0], np.zeros(5 * RATE), RATE)  # a changed recording is done again
    with resumed(log, {"hop": 2}) as survey:
        assert [survey.has(path) for path in paths] == [False, True]
    with pytest.raises(ClassifierError, match="another hop; name another `out`"), resumed(log, {"hop": 1}):
        pass


def test_a_recording_that_cannot_be_read_stops_no_other(recordings: list[Recording], tmp_path: Path) -> None:
    seen = []
    paths = [tmp_path / "gone.wav", Path(recordings[0].path)]
    found = dict(detect_all(Barking(), paths, replace(RULES, gap=9), watch=lambda: seen.append(1)))
    assert "gone.wav" in str(found[paths[0]])
    assert [each.label for each in found[paths[1]].events] == ["dog"]
    assert len(seen) == 3
