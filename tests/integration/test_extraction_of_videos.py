"""From videos to a bank by actors: the same bank as in this process."""

from mgcl.backbones import tiny
from mgcl.cli import main
from mgcl.data import videos
from mgcl.extraction.extract import extract_videos_by, in_process
from mgcl.extraction.tokens import Pair, load_visual
from mgcl.language.word_bag import word_bag
from tests.commands import run_here
from tests.conftest import SharedCluster
from tests.generated_videos import greys, tone, write


def test_actors_make_the_same_bank(tmp_path, shared_cluster: SharedCluster) -> None:
    root = tmp_path / "mine"
    for index, label in enumerate(("cat", "dog", "cat", "dog")):
        (root / label).mkdir(parents=True, exist_ok=True)
        frames = greys(range(20 * index, 20 * index + 40))
        write(root / label / f"{index}.mp4", frames=frames, sound=tone(1.6 + index) if index else None)
    (root / "cat" / "broken.mp4").write_bytes((root / "cat" / "2.mp4").read_bytes()[:999])
    dataset = videos.read(root)
    pair = Pair(tiny.load(), load_visual("motion_grid", None, "cpu"))
    words = dict(zip(dataset.classes, word_bag(dataset.classes), strict=True))
    here = extract_videos_by(in_process(pair), dataset, pair, tmp_path / "here", words)
    command = ["extract", "--dataset", "videos", "--root", root, "--backbone", "tiny", "--out", tmp_path / "there"]
    done = run_here(lambda: main([*map(str, command), "--actors", "2", *shared_cluster.joined]))
    assert done.returncode == 0, done.stderr
    assert f"4 clips, 2 classes, digest {here.digest[:16]}" in done.stdout
    assert "1 clips have no sound" in done.stdout
    assert "left out: " in done.stdout and "broken.mp4: cannot be opened as a video" in done.stdout
