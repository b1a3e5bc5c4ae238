"""``mgcl predict``: what clips sound like to a classifier that ``mgcl fit`` made."""

import argparse
import csv
import glob
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.commands import Commands, add_model
from mgcl.errors import DataError, MgclError

if TYPE_CHECKING:
    from mgcl import FewShotClassifier
    from mgcl.classifier.answers import Answer

_PAGE = 100


def add(commands: Commands) -> None:
    """Add the command to the parser's."""
    predict = commands.add_parser(
        "predict",
        help="recognise clips with a model that `mgcl fit` made",
        description="One line a clip: its path, label and probability. A clip that cannot be decoded is said on "
        "stderr, the others are answered, and the exit code is 1.",
    )
    add_model(predict)
    predict.add_argument(
        "clips", nargs="+", metavar="CLIP", help="a file, a folder, a pattern, or - for paths on stdin"
    )
    predict.add_argument(
        "--every", type=float, metavar="S", help="answer every S seconds along recordings of any length"
    )
    predict.add_argument("--captions", type=Path, metavar="FILE", help="csv or jsonl: clip_id (the path), caption")
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a json object a line, with every probability")
    form.add_argument("--csv", action="store_true", help="with every probability")
    predict.add_argument("--explain", type=Path, metavar="HTML", help="write a page that says why")
    predict.set_defaults(job=_predict)


def _predict(flags: argparse.Namespace) -> int:
    from tqdm import tqdm

    from mgcl import FewShotClassifier
    from mgcl.captioners.file import read_captions

    if flags.every is not None and (flags.explain or flags.captions):
        raise MgclError("--every answers windows, which have no captions and no page: leave --explain out")
    clips = [path for given in flags.clips for path in _found(given)]
    if flags.explain and len(clips) > _PAGE:
        raise MgclError(f"--explain: {len(clips)} clips, and a page holds {_PAGE} (half a megabyte each); name fewer")
    classifier = FewShotClassifier.load(flags.model, weights=flags.weights, device=flags.device)
    captions = _captions(read_captions(flags.captions), clips) if flags.captions else None
    show = (_as_json if flags.json else _as_csv if flags.csv else _as_text)(classifier, windows=flags.every is not None)
    failed, answered = 0, []
    with tqdm(desc="clips", total=None if flags.every else len(clips), disable=_quiet()) as bar:
        for each in _answers(classifier, clips, captions, flags.every):
            bar.update()
            if isinstance(each, DataError):
                failed += 1
                print(f"error: {each}", file=sys.stderr, flush=True)
            else:
                show(each)
                answered.append(each.clip)
    if flags.explain:
        _explain(classifier, clips, captions, set(answered), flags.explain)
    return 1 if failed else 0


def _quiet() -> bool:
    """A bar would run through answers that are printed beside it."""
    return sys.stdout.isatty() or not sys.stderr.isatty()


def _found(given: str) -> Iterator[str]:
    """The files that an argument stands for, in a fixed order.

    Raises:
        DataError: a folder without clips, or a pattern that nothing matches.
    """
    from mgcl.data.audio import SUFFIXES

    path = Path(given)
    if given == "-":
        yield from filter(None, (line.rstrip("\n") for line in sys.stdin))
        return
    found = [given]
    if path.is_dir():
        found = [str(each) for each in sorted(path.rglob("*")) if each.suffix.lower() in SUFFIXES and each.is_file()]
    elif not path.exists() and glob.has_magic(given):
        anchor = Path(path.anchor)
        found = [str(each) for each in sorted(anchor.glob(str(path.relative_to(anchor))))]
    if not found:
        raise DataError(f"{given}: no clips there; a clip is one of {' '.join(SUFFIXES)}")
    yield from found


def _captions(given: dict[str, str], clips: Sequence[str]) -> list[str]:
    missing = [clip for clip in clips if clip not in given]
    if missing:
        raise DataError(f"--captions: none of {missing[0]}, one of {len(missing)} such clips; clip_id is the path")
    return [given[clip] for clip in clips]


def _answers(
    classifier: "FewShotClassifier", clips: Sequence[str], captions: Sequence[str] | None, every: float | None
) -> "Iterator[Answer | DataError]":
    if every is None:
        yield from classifier.answers(clips, captions)
        return
    for clip in clips:
        try:
            yield from classifier.windows(clip, every=every)
        except DataError as error:
            yield error


Show = Callable[["Answer"], None]


def _as_text(_classifier: "FewShotClassifier", *, windows: bool) -> Show:
    def show(answer: "Answer") -> None:
        start = f"\t{answer.start:.2f}" if windows else ""
        print(f"{answer.clip}{start}\t{answer.label}\t{answer.probability:.3f}", flush=True)

    return show


def _as_json(_classifier: "FewShotClassifier", *, windows: bool) -> Show:
    def show(answer: "Answer") -> None:
        content = asdict(answer)
        if not windows:
            del content["start"]
        content["probabilities"] = {str(label): share for label, share in answer.probabilities.items()}
        print(json.dumps(content, ensure_ascii=False), flush=True)

    return show


def _as_csv(classifier: "FewShotClassifier", *, windows: bool) -> Show:
    writer = csv.writer(sys.stdout)
    start = ["start"] if windows else []
    writer.writerow(["clip", *start, "label", "probability", *classifier.classes_])

    def show(answer: "Answer") -> None:
        at = [f"{answer.start:.3f}"] if windows else []
        shares = [f"{share:.6f}" for share in answer.probabilities.values()]
        writer.writerow([answer.clip, *at, answer.label, f"{answer.probability:.6f}", *shares])
        sys.stdout.flush()

    return show


def _explain(
    classifier: "FewShotClassifier",
    clips: Sequence[str],
    captions: Sequence[str] | None,
    answered: set[str],
    out: Path,
) -> None:
    from mgcl.classifier.page import html

    explained = [
        (classifier.explain(clip, captions[row] if captions else None), classifier.sound(clip))
        for row, clip in enumerate(clips)
        if clip in answered
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(html(explained, classifier.sample_rate_), encoding="utf-8")
    print(f"why: {out}", file=sys.stderr)
