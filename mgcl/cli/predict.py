"""``mgcl predict``: recognise clips with a model that ``mgcl fit`` made."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.clips import found_clips
from mgcl.cli.commands import Commands, add_model, add_one_window, check_out, open_model
from mgcl.errors import DataError, MgclError, with_flags

if TYPE_CHECKING:
    from mgcl import FewShotClassifier
    from mgcl.classifier.answers import Answer
    from mgcl.classifier.reasons import Reasons
    from mgcl.classifier.sounds import Sound

_PAGE = 100


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    predict = commands.add_parser(
        "predict",
        help="recognise clips with a model that `mgcl fit` made",
        description="One line per clip: its path, label and probability. A clip that cannot be decoded is named on "
        "stderr, the others are answered, and the exit code is 1.",
    )
    add_model(predict)
    add_one_window(predict)
    predict.add_argument(
        "clips", nargs="+", metavar="CLIP", help="a file, a folder, a pattern, or - for paths on stdin"
    )
    predict.add_argument(
        "--every", type=float, metavar="S", help="answer every S seconds along recordings of any length"
    )
    predict.add_argument(
        "--workers", type=int, default=1, metavar="N", help="threads that recognise side by side (default: 1)"
    )
    predict.add_argument("--captions", type=Path, metavar="FILE", help="csv or jsonl: clip_id (the path), caption")
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one json object per line, with every probability")
    form.add_argument("--csv", action="store_true", help="with every probability")
    predict.add_argument("--explain", type=Path, metavar="HTML", help="write a page that says why")
    predict.set_defaults(job=_predict)


def _check(flags: argparse.Namespace) -> None:
    """Check the flags that need no model.

    Raises:
        MgclError: two of them do not go together, one is out of range, or the page cannot be written.
    """
    if flags.every is not None and (flags.explain or flags.captions):
        raise MgclError("--every answers windows, which have no captions and no page: leave those flags out")
    if flags.workers < 1:
        raise MgclError(f"--workers {flags.workers}: at least 1")
    if flags.explain:
        check_out(flags.explain, folder=False)


def _predict(flags: argparse.Namespace) -> int:
    from tqdm import tqdm

    from mgcl.captioners.file import read_captions

    _check(flags)
    clips, failed = found_clips(flags.clips)
    if flags.explain and len(clips) > _PAGE:
        raise MgclError(f"--explain: {len(clips)} clips, and a page holds {_PAGE} (half a megabyte each); name fewer")
    classifier = open_model(flags)
    captions = _captions(read_captions(flags.captions), clips) if flags.captions else None
    show = (_as_json if flags.json else _as_csv if flags.csv else _as_text)(classifier, windows=flags.every is not None)
    explained: list[tuple[Reasons, Sound]] = []
    answers = _answers(classifier, clips, captions, flags.every, flags.workers)
    if flags.explain:
        answers = _explained(classifier, clips, captions, explained)
    answered: list[Answer] = []
    with tqdm(desc="clips", total=None if flags.every else len(clips), disable=_quiet()) as bar:
        for each in answers:
            bar.update()
            if isinstance(each, DataError):
                failed += 1
                print(f"error: {with_flags(each, flags.called)}", file=sys.stderr, flush=True)
                continue
            show(each)
            answered.append(each)
            if each.silent:
                print(f"warning: {each.clip}: is silent; the answer means nothing", file=sys.stderr)
    if classifier.one_window or flags.explain:
        _say_what_was_cropped(answered, classifier.seconds_)
    if explained:
        _write_page(explained, classifier.sample_rate_, flags)
    return 1 if failed else 0


def _say_what_was_cropped(answers: "Sequence[Answer]", seconds: float) -> None:
    long = [each.clip for each in answers if each.clip_seconds > 1.2 * seconds]
    if long:
        print(
            f"{len(long)} of {len(answers)} clips are longer than {seconds:g} s, {long[0]} for one: a part of each "
            "was taken; --every S answers along all of it",
            file=sys.stderr,
        )


def _write_page(explained: "Sequence[tuple[Reasons, Sound]]", sample_rate: int, flags: argparse.Namespace) -> None:
    from mgcl.classifier.page import html

    out, model = flags.explain, Path(flags.model)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(html(explained, sample_rate, model), encoding="utf-8")
    print(f"why: {out}", file=sys.stderr)


def _quiet() -> bool:
    """Whether to hide the progress bar: it would mix with answers printed to the same terminal."""
    return sys.stdout.isatty() or not sys.stderr.isatty()


def _captions(given: dict[str, str], clips: Sequence[str]) -> list[str]:
    missing = [clip for clip in clips if clip not in given]
    if missing:
        raise DataError(f"--captions: none of {missing[0]}, one of {len(missing)} such clips; clip_id is the path")
    return [given[clip] for clip in clips]


def _answers(
    classifier: "FewShotClassifier",
    clips: Sequence[str],
    captions: Sequence[str] | None,
    every: float | None,
    workers: int,
) -> "Iterator[Answer | DataError]":
    """Answer the clips in their order, batch by batch; the batches do not depend on the number of workers."""
    from mgcl.classifier.workers import side_by_side
    from mgcl.extraction.plan import BATCH

    def answered(first: int) -> "list[Answer | DataError]":
        own = captions and captions[first : first + BATCH]
        return list(classifier.answers(clips[first : first + BATCH], own))

    if every is not None:
        jobs = (_windows(classifier, clip, every) for clip in clips)
        yield from chain.from_iterable(jobs if workers == 1 else side_by_side(list, jobs, workers=workers))
        return
    yield from chain.from_iterable(side_by_side(answered, range(0, len(clips), BATCH), workers=workers))


def _windows(classifier: "FewShotClassifier", clip: str, every: float) -> "Iterator[Answer | DataError]":
    try:
        yield from classifier.windows(clip, every=every)
    except DataError as error:
        yield error


def _explained(
    classifier: "FewShotClassifier",
    clips: Sequence[str],
    captions: Sequence[str] | None,
    explained: "list[tuple[Reasons, Sound]]",
) -> "Iterator[Answer | DataError]":
    """Answer clips, appending the reasons and the sound of each to ``explained``; every clip is decoded once."""
    for row, clip in enumerate(clips):
        try:
            sound = classifier.sound(clip)
        except DataError as error:
            yield error
            continue
        reasons = classifier.explain(sound, captions[row] if captions else None)
        explained.append((reasons, sound))
        yield reasons.answer


def named(answer: "Answer") -> str:
    """The answer's label as text; "-" for a clip that has none of several."""
    return "-" if answer.label == "" else str(answer.label)


def certainty(answer: "Answer", digits: int) -> str:
    """Probabilities of the answer's labels as text; "-" for a clip that is given no class."""
    from mgcl.data.folder import SEPARATOR

    return SEPARATOR.join(f"{answer.probabilities[label]:.{digits}f}" for label in answer.named) or "-"


Show = Callable[["Answer"], None]


def _as_text(_classifier: "FewShotClassifier", *, windows: bool) -> Show:
    def show(answer: "Answer") -> None:
        start = f"\t{answer.start:.2f}" if windows else ""
        print(f"{answer.clip}{start}\t{named(answer)}\t{certainty(answer, 3)}", flush=True)

    return show


def _as_json(_classifier: "FewShotClassifier", *, windows: bool) -> Show:
    def show(answer: "Answer") -> None:
        content = asdict(answer)
        if not windows:
            del content["start"], content["stop"]
        del content["clip_seconds"]
        if answer.labels is None:
            del content["labels"]
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
        writer.writerow([answer.clip, *at, answer.label, certainty(answer, 6), *shares])
        sys.stdout.flush()

    return show
