"""Published data sets with several labels, events or captions: small folders in their layouts, with rows of theirs."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest

from mgcl.data._youtube import leave_out
from mgcl.data.dataset import Dataset, MissingFilesError, Window
from mgcl.errors import DataError
from mgcl.events import Event

ESC50 = "filename,fold,target,category,esc10,src_file,take\n2-200-B-9.wav,2,9,crow,False,200,B\n"
US8K = (
    "slice_file_name,fsID,start,end,salience,fold,classID,class\n100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark\n"
)
AUDIOSET = """# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=2, num_segs=2, num_unique_labels=2, num_positive_labels=3
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/0bt9lr"
-0BIyqJj9ZU, 30.000, 40.000, "/m/0bt9lr"
"""
NAMES = 'index,mid,display_name\n72,/m/068hy,"Domestic animals, pets"\n74,/m/0bt9lr,"Dog"\n'
STRONG = "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\ns9d-2nhuJCQ_30000\t2.627\t7.237\t/m/053hz1\n"
DESED = """filename\tonset\toffset\tevent_label
1Ro0FgMWTUE_120_130.wav\t2.618\t4.679\tSpeech
1Ro0FgMWTUE_120_130.wav\t0.000\t2.081\tSpeech
1Ro0FgMWTUE_120_130.wav\t3.847\t10.000\tFrying
YU0Cg_t_3TdI_30.000_40.000.wav\t\t\t
"""
AUDIOCAPS = """audiocap_id,youtube_id,start_time,caption
103549,7fmOlUlwoNg,20,Constant rattling noise and sharp vibrations
103548,6BJ455B1aAs,0,A rocket flies by followed by a loud explosion
103542,7fmOlUlwoNg,20,"Food is frying, and a woman talks"
"""
CLOTHO = (
    'file_name,caption_1,caption_2,caption_3,caption_4,caption_5\nSanta Motor.wav,one,two,three,four,"Five, (5)!"\n'
)
GROUNDING = [
    {
        "audiocap_id": 103549,
        "audio_id": "Y7fmOlUlwoNg.wav",
        "tokens": "constant rattling noise and sharp vibrations",
        "phrases": [
            {"phrase": "constant rattling noise", "start_index": 0, "end_index": 2, "segments": [[0.5, 9.5]]},
            {"phrase": "sharp vibrations", "start_index": 4, "end_index": 5, "segments": [[0, 0]]},
        ],
    }
]

FOLDERS: Mapping[str, Mapping[str, str]] = {
    "esc50_zero_shot": {
        "meta/esc50.csv": ESC50,
        "audio/2-200-B-9.wav": "",
    },
    "urbansound8k": {"metadata/UrbanSound8K.csv": US8K, "audio/fold5/100032-3-0-0.wav": ""},
    "vggsound": {
        "vggsound.csv": "---g-f_I2yQ,1,people marching,test\n--0PQM4-hqg,30,waterfall burbling,train\n"
        '--PG66A3lo4,1,"bird chirping, tweeting",test\n',
        "audio/---g-f_I2yQ_000001.wav": "",
        "audio/Y--PG66A3lo4.flac": "",
    },
    "fsd50k": {
        "FSD50K.ground_truth/eval.csv": 'fname,labels,mids\n37199,"Electric_guitar,Guitar","/m/02sgy,/m/0342h"\n',
        "FSD50K.eval_audio/37199.wav": "",
    },
    "audioset": {
        "eval_segments.csv": AUDIOSET,
        "class_labels_indices.csv": NAMES,
        "audio/--4gqARaEJE.wav": "",
        "audio/Y-0BIyqJj9ZU_30.000_40.000.flac": "",
    },
    "audioset_strong": {
        "audioset_eval_strong.tsv": STRONG,
        "mid_to_display_name.tsv": "/m/053hz1\tCheering\n/m/07p6fty\tShout\n",
        "audio/s9d-2nhuJCQ_30000.wav": "",
    },
    "desed": {
        "metadata/eval/public.tsv": DESED,
        "audio/eval/public/1Ro0FgMWTUE_120_130.wav": "",
        "audio/eval/public/YU0Cg_t_3TdI_30.000_40.000.wav": "",
    },
    "urbansed": {
        "annotations/test/soundscape_test_bimodal0.txt": "2.5\t4.25\tgun_shot\n0.5\t3.0\tsiren\n",
        "annotations/test/soundscape_test_unimodal1.txt": "",
        "audio/test/soundscape_test_bimodal0.wav": "",
        "audio/test/soundscape_test_unimodal1.wav": "",
    },
    "audiogrounding": {"test.json": json.dumps(GROUNDING), "audio/Y7fmOlUlwoNg.wav": ""},
    "audiocaps": {"test.csv": AUDIOCAPS, "audio/Y7fmOlUlwoNg.wav": "", "audio/6BJ455B1aAs_0_10.wav": ""},
    "clotho": {"clotho_captions_evaluation.csv": CLOTHO, "evaluation/Santa Motor.wav": ""},
}


def write(root: Path, name: str, **changed: str) -> Path:
    """A folder of the data set; ``changed`` replaces the content of its first file."""
    for place, (file, content) in enumerate(FOLDERS[name].items()):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(changed.get("table", content) if place == 0 else content)
    return root


def read(name: str, root: Path) -> Dataset:
    return import_module(f"mgcl.data.{name}").read(root)


@pytest.mark.parametrize(
    ("name", "window", "prompt", "classes"),
    [
        ("esc50_zero_shot", Window(10.0, "zeros", "first"), "{} can be heard", ("crow",)),
        ("urbansound8k", Window(10.0, "zeros", "first"), "{}", ("dog_bark",)),
        (
            "vggsound",
            Window(10.0, "zeros", "first"),
            "{} can be heard",
            ("bird chirping, tweeting", "people marching"),
        ),
        ("fsd50k", Window(10.0, "zeros", "first"), "{} can be heard", ("Electric_guitar", "Guitar")),
        ("audioset", Window(10.0, "zeros", "first"), "{} can be heard", ("Dog", "Domestic animals, pets")),
        ("audioset_strong", Window(10.0, "repeat", "first"), "{}", ("Cheering",)),
        ("desed", Window(10.0, "repeat", "first"), "{}", ("Frying", "Speech")),
        ("urbansed", Window(10.0, "repeat", "first"), "{}", ("gun_shot", "siren")),
        ("audiogrounding", Window(10.0, "repeat", "first"), "{}", ("constant rattling noise",)),
        ("audiocaps", Window(10.0, "zeros", "random"), "", ()),
        ("clotho", Window(10.0, "zeros", "random"), "", ()),
    ],
)
def test_a_folder_in_the_published_layout_is_read(tmp_path, name, window, prompt, classes) -> None:
    dataset = read(name, write(tmp_path, name))
    assert (dataset.window, dataset.prompt, dataset.classes) == (window, prompt, classes)
    assert all(file.path.is_file() for file in dataset.files)
    assert len({file.clip_id for file in dataset.files}) == len(dataset.files)
    with pytest.raises(DataError, match=r"(no such file|no \.txt files); .+"):
        read(name, tmp_path / "elsewhere")


def test_folds_are_kept_and_their_accuracies_averaged(tmp_path) -> None:
    for name, fold in (("urbansound8k", 5), ("esc50_zero_shot", 2)):
        dataset = read(name, write(tmp_path / name, name))
        assert dataset.mean_over_folds
        assert [clip.fold for clip in dataset.files] == [fold]
    assert dataset.name == "esc50_zero_shot"


def test_clips_have_all_their_labels_events_and_captions(tmp_path) -> None:
    loud, quiet = read("desed", write(tmp_path / "d", "desed")).files
    assert loud.events == (Event(0.0, 2.081, "Speech"), Event(2.618, 4.679, "Speech"), Event(3.847, 10.0, "Frying"))
    assert (loud.labels, quiet.labels, quiet.events) == (("Frying", "Speech"), (), ())
    first, second = read("audioset", write(tmp_path / "a", "audioset")).files
    assert (first.labels, second.labels) == (("Domestic animals, pets", "Dog"), ("Dog",))
    rattling, rocket = read("audiocaps", write(tmp_path / "c", "audiocaps")).files
    assert [len(clip.captions) for clip in (rattling, rocket)] == [2, 1]
    assert rattling.captions[1] == "food is frying and a woman talks", "as MGA-CLAP's code gives captions to the model"
    (clip,) = read("clotho", write(tmp_path / "k", "clotho")).files
    assert clip.captions == ("one", "two", "three", "four", "five 5")
    (query,) = read("audiogrounding", write(tmp_path / "g", "audiogrounding")).files
    assert (query.clip_id, query.events) == ("103549_0", (Event(0.5, 9.5, "constant rattling noise"),))
    _, silent = read("urbansed", write(tmp_path / "u", "urbansed")).files
    assert silent.events == ()


GROUNDED = json.dumps(GROUNDING)


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        (
            "esc50_zero_shot",
            ESC50.replace("crow", ""),
            r"esc50\.csv, line 2: no category; write it, or remove the line",
        ),
        ("esc50_zero_shot", ESC50.replace(",2,", ",two,"), r"esc50\.csv, line 2: fold 'two' is no integer; fetch"),
        (
            "esc50_zero_shot",
            ESC50 + ESC50.splitlines()[1],
            r"line 3: 2-200-B-9\.wav is listed already in line 2; remove",
        ),
        ("urbansound8k", US8K.replace("dog_bark", ""), r"UrbanSound8K\.csv, line 2: no class; write it"),
        ("urbansound8k", US8K.replace(",5,", ",11,"), r"line 2: fold '11' is none of 1 to 10"),
        ("urbansound8k", US8K + US8K.splitlines()[1], r"line 3: 100032-3-0-0\.wav is listed already in line 2; remove"),
        ("vggsound", "---g-f_I2yQ,1,,test\n", r"vggsound\.csv, line 1: no label; write it, or remove the line"),
        ("vggsound", 2 * "---g-f_I2yQ,1,marching,test\n", r"line 2: ---g-f_I2yQ_000001 is listed twice; remove"),
        ("vggsound", "---g-f_I2yQ,1,marching,train\n", r"vggsound\.csv: no line ends with test"),
        (
            "fsd50k",
            "fname,labels,mids\n37199,,/m/02sgy\n",
            r"eval\.csv, line 2: a clip without class; name its classes",
        ),
        ("audioset", AUDIOSET.replace("/m/068hy", "/m/0"), r"line 4: '/m/0' has no name in the table of classes; add"),
        ("audioset", AUDIOSET.replace("30.000", "half"), r"line 5: 'half' and '40\.000' are no numbers of seconds"),
        ("audioset_strong", STRONG.replace("/m/053hz1", ""), r"strong\.tsv, line 2: an event without class; name its"),
        ("audioset_strong", STRONG.replace("_30000", ""), r"'s9d-2nhuJCQ' is not ID_START"),
        (
            "desed",
            DESED.replace("4.679", "1.2"),
            r"public\.tsv, line 2: an event from 2\.618 to 1\.2 s; .*mend the times",
        ),
        (
            "desed",
            DESED.replace("2.618", "soon"),
            r"line 2: onset 'soon' and offset '4\.679' are no numbers of seconds",
        ),
        ("urbansed", "4.25\t2.5\tgun_shot\n", r"bimodal0\.txt, line 1: an event from 4\.25 to 2\.5 s"),
        ("audiogrounding", GROUNDED.replace("[0.5, 9.5]", "[9.5, 0.5]"), r"test\.json, item 1: an event from 9\.5 to"),
        (
            "audiogrounding",
            GROUNDED.replace("[[0.5, 9.5]]", "null"),
            r"item 1: not an item of AudioGrounding 2 \(TypeEr",
        ),
        (
            "audiogrounding",
            GROUNDED.replace("[0.5, 9.5]", "0.5"),
            r"item 1: not an item of AudioGrounding 2 \(TypeError",
        ),
        (
            "audiogrounding",
            GROUNDED.replace("[0.5, 9.5]", "[0.5]"),
            r"item 1: segment \[0\.5\] is not \[onset, offset\]",
        ),
        ("audiogrounding", GROUNDED.replace("audio_id", "id"), r"item 1: not an item of AudioGrounding 2 \(KeyError"),
        ("audiogrounding", json.dumps(2 * GROUNDING), r"item 2: query 103549_0 is listed already above; remove one"),
        (
            "audiocaps",
            AUDIOCAPS.replace("A rocket flies by followed by a loud explosion", ""),
            "line 3: no caption; write",
        ),
        ("audiocaps", AUDIOCAPS.replace("6BJ455B1aAs", ""), "line 3: no youtube_id; write it, or remove the line"),
        ("clotho", CLOTHO.replace("three", ""), r"evaluation\.csv, line 2: no caption_3; write it, or remove the line"),
        (
            "clotho",
            CLOTHO.replace("Santa", "Sancta"),
            r"Sancta Motor\.wav: missing, one of 1 that clotho_captions_evaluation\.csv names \(line 2\); fetch",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_file_row_and_mend(tmp_path, name, table, words) -> None:
    with pytest.raises(DataError, match=words):
        read(name, write(tmp_path, name, table=table))


def test_a_video_that_cannot_be_had_is_left_out_by_name_and_counted(tmp_path) -> None:
    root = write(tmp_path, "audiocaps")
    (root / "audio" / "6BJ455B1aAs_0_10.wav").unlink()
    with pytest.raises(MissingFilesError, match=r"data check audiocaps --root .* --leave-out-missing") as caught:
        read("audiocaps", root)
    assert leave_out(root, caught.value.listed) == 1
    dataset = read("audiocaps", root)
    assert (dataset.revision, [file.clip_id for file in dataset.files]) == ("1.0, test, 1 of 2 clips", ["7fmOlUlwoNg"])
    (root / "audio" / "6BJ455B1aAs.wav").touch()
    with pytest.raises(DataError, match=r"missing\.txt: 6BJ455B1aAs is there; remove its line"):
        read("audiocaps", root)
