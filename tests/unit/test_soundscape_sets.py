"""Generated sets for zero-shot tasks: the truth beside the clips, one set per seed, and tables that are refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mgcl.catalogue import load
from mgcl.cli import main
from mgcl.data._faults import faults
from mgcl.data.dataset import Dataset, Window
from mgcl.data.soundscapes.mixture import Mixture, Sounding, mix
from mgcl.data.soundscapes.recipes import class_recipes
from mgcl.data.soundscapes.scene import Layer
from mgcl.errors import BankError, DataError
from mgcl.events import Event
from mgcl.extraction.extract import extract
from mgcl.extraction.generated import SETS, generated_bank
from mgcl.language.explanations import explanations
from tests.generated_backbone import Bands

EVENTS, TAGS, CAPTIONS, PHRASES = SETS
CLASSES = {recipe.label for recipe in class_recipes("evaluation")}


def made(name: str, root: Path, clips: int = 2) -> Dataset:
    generated: Dataset = load("dataset", name).generate(root / name, clips=clips)
    return generated


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for name in SETS:
        made(name, folder)
    return folder


def read(name: str, root: Path) -> Dataset:
    found: Dataset = load("dataset", name).read(root / name)
    return found


def test_the_sets_give_the_truth_of_evaluation_classes(root) -> None:
    events, tags, captions = (read(name, root) for name in (EVENTS, TAGS, CAPTIONS))
    for each in (events, tags, captions):
        assert list(faults(each)) == []
        assert each.window == Window(10.0, "zeros", "first")
        assert soundfile.info(each.files[0].path).frames == 160_000
    assert {*events.classes, *tags.classes} <= CLASSES and captions.classes == ()
    assert all(0 <= event.onset < event.offset <= 10 for file in events.files for event in file.events)
    assert all(1 <= len(file.labels) <= 3 for file in tags.files)


def test_a_query_has_the_events_of_its_phrase(root) -> None:
    truth = load("dataset", PHRASES).read_truth(root / PHRASES, load("dataset", PHRASES).KIND)
    queries = read(PHRASES, root)
    assert list(faults(queries)) == [] and queries.prompt == "{}"
    assert len({query.path for query in queries.files}) == 2 < len(queries.files)
    for query in queries.files:
        assert query.events == tuple(each for each in truth[query.path] if each.label == query.label) != ()
    asked = [(query.path, query.label) for query in queries.files]
    assert sorted(asked) == sorted({(path, each.label) for path, events in truth.items() for each in events})


def test_captions_name_what_sounds_in_its_order(root) -> None:
    truth = load("dataset", CAPTIONS).read_truth(root / CAPTIONS, load("dataset", CAPTIONS).KIND)
    for file in read(CAPTIONS, root).files:
        assert len(set(file.captions)) == 5
        names = [event.label.replace("_", " ") for event in truth[file.path]]
        for caption in file.captions[:2]:
            places = [caption.index(name) for name in names]
            assert len(places) > 1 and places == sorted(places)


def test_a_sound_is_where_the_truth_has_it() -> None:
    """Before its onset there is the background alone."""
    recipe = next(each for each in class_recipes("evaluation") if each.label == "smoke_detector")
    ratios = []
    for seed in range(4):
        mixture = mix([recipe], np.random.default_rng(seed))
        (event,) = mixture.events
        first, last = (int(time * 16000) for time in (event.onset, event.offset))
        before, during = mixture.waveform[:first], mixture.waveform[first:last]
        ratios.append(np.abs(during).max() / np.abs(before).max(initial=1e-3))
    assert np.median(ratios) > 2
    again, other = (mix([recipe], np.random.default_rng(seed)) for seed in (3, 4))
    assert np.array_equal(again.waveform, mix([recipe], np.random.default_rng(3)).waveform)
    assert not np.array_equal(again.waveform, other.waveform)


def test_overlapping_sounds_of_one_class_are_one_event() -> None:
    layer = Layer(class_recipes("evaluation")[0], 1.0, 1.0, 1.0, (0.0,))
    times = [(0, 2, "owl"), (1, 1.5, "dog"), (1.5, 4, "owl"), (4.5, 5, "owl")]
    mixture = Mixture(np.zeros(1, np.float32), tuple(Sounding(Event(*each), layer) for each in times))
    assert mixture.events == (Event(0, 4, "owl"), Event(1, 1.5, "dog"), Event(4.5, 5, "owl"))


def test_an_event_set_becomes_a_bank(root, tmp_path) -> None:
    data = read(EVENTS, root)
    bank = extract(data, Bands(), tmp_path / "bank")
    assert bank.events == tuple(file.events for file in data.files)
    assert (bank.header.seconds, bank.header.segments, bank.header.window) == (10.0, 20, data.window)
    assert bank.classes["explanations"][0].as_py()[0] != ""


def test_another_set_in_the_folder_and_wrong_counts_are_refused(root, tmp_path) -> None:
    assert made(EVENTS, root).files == read(EVENTS, root).files  # left as it is
    with pytest.raises(DataError, match=r"exists, and is not soundscape_events as it is to be \(1\.0\.3\)"):
        made(EVENTS, root, clips=3)
    with pytest.raises(DataError, match="`clips` 0: at least 1"):
        made(TAGS, tmp_path, clips=0)
    with pytest.raises(DataError, match=r"soundscape_tags\.txt: missing; generate the data set with `mgcl data gen"):
        read(TAGS, tmp_path)
    with pytest.raises(BankError, match="a first run without --plan makes it"):
        generated_bank(EVENTS, tmp_path, make=False)


def test_another_split_has_other_classes_and_another_name(tmp_path, capsys) -> None:
    folder = tmp_path / "set"
    with pytest.raises(SystemExit, match="0"):
        main(["data", "generate", EVENTS, "--root", str(folder), "--split", "development", "--clips", "2"])
    assert "soundscape_events-development" in capsys.readouterr().out
    found = load("dataset", EVENTS).read(folder)
    assert (found.name, found.revision) == (f"{EVENTS}-development", "1.0.2")
    assert {*found.classes} <= {recipe.label for recipe in class_recipes("development")}
    assert {*found.classes} <= {*explanations(found.name)} == {*explanations("soundscapes")}
    with pytest.raises(DataError, match="`split` test: choose evaluation, development, training"):
        load("dataset", EVENTS).generate(tmp_path / "other", split="test")


@pytest.mark.parametrize(
    ("name", "table", "line", "fault"),
    [
        (EVENTS, "events.csv", "0001.wav,2.0,1.0,owl", "an event from 2.0 to 1.0 s; .*mend the times"),
        (EVENTS, "events.csv", "0001.wav,2.0,3.0,", "an event without class; name its class"),
        (CAPTIONS, "captions.csv", "0001.wav,a,b,c,d,e", "0001.wav is listed already in line 3; remove one"),
        (CAPTIONS, "captions.csv", "0009.wav,a,b,c,d,e", r"0009.wav is no clip of events\.csv; list it there"),
        (CAPTIONS, "captions.csv", "0002.wav,a,b,c,d,", "a caption is empty; write it"),
    ],
)
def test_a_wrong_line_is_refused_by_file_and_line(name, table, line, fault, root) -> None:
    file = root / name / table
    whole = file.read_text(encoding="utf-8")
    try:
        content = whole + f"{line}\n"
        if line.startswith("0002"):
            (root / name / "events.csv").write_text((root / name / "events.csv").read_text() + "0002.wav,0,1,owl\n")
        file.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=rf"{table}, line {content.count(chr(10))}: {fault}"):
            read(name, root)
    finally:
        file.write_text(whole, encoding="utf-8")
