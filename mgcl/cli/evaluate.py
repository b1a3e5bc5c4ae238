"""``mgcl evaluate``: score a model that ``mgcl fit`` made on labelled clips."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.clips import found_clips
from mgcl.cli.commands import (
    Commands,
    add_model,
    add_one_window,
    check_out,
    open_model,
    say_what_is_passed_over,
    warnings_as_lines,
)
from mgcl.errors import DataError, with_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mgcl import FewShotClassifier
    from mgcl.classifier.answers import Answer
    from mgcl.classifier.background import Background
    from mgcl.classifier.label_scores import LabelVerdict
    from mgcl.classifier.scores import Verdict
    from mgcl.data.dataset import AudioFile


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    evaluate = commands.add_parser(
        "evaluate",
        help="how often a model that `mgcl fit` made is right on labelled clips",
        description='Clips that the model was fitted on are left out. Of a model that may answer "none of these", '
        "clips of other classes are counted right where it says so.",
    )
    add_model(evaluate)
    add_one_window(evaluate)
    evaluate.add_argument(
        "clips", type=Path, metavar="FOLDER", help="one sub-folder per class; or a csv of path, label"
    )
    evaluate.add_argument(
        "--background", type=Path, metavar="FOLDER", help="clips of none of the classes: how many are named as one"
    )
    evaluate.add_argument(
        "--errors", type=Path, metavar="FILE", help="write the wrong answers as csv: clip, true, answered, probability"
    )
    evaluate.add_argument("--json", action="store_true", help="print a json object")
    evaluate.set_defaults(job=_evaluate, called={"reject_label": "--none-of-these"})


def _evaluate(flags: argparse.Namespace) -> int:
    from mgcl.data.folder import labelled

    if flags.errors is not None:
        check_out(flags.errors, folder=False)
    if flags.clips.is_dir():
        say_what_is_passed_over(flags.clips)
    classifier = open_model(flags)
    with warnings_as_lines(flags):
        files = labelled(flags.clips, least=1, several=classifier.multi_label)
    others = None if flags.background is None else found_clips([str(flags.background)])[0]
    answered, failed = _answered(flags, classifier, files)
    new = [(file, answer) for file, answer in answered if not answer.in_support]
    if not new:
        raise DataError(f"{flags.clips}: no clips there that the model was not fitted on; name others")
    verdict = _judged(classifier, new)
    heard = None if others is None else _on_background(flags, classifier, others)
    if flags.errors is not None:
        _write_errors(verdict, flags.errors)
    own = classifier.background_
    if flags.json:
        background = {"background": heard and asdict(heard), "background_of_the_fit": own and asdict(own)}
        print(json.dumps({**asdict(verdict), **background}, ensure_ascii=False))
        return failed
    _show(verdict, fitted_on=len(answered) - len(new))
    if own:
        print(f"\nbackground of the fit, left out in turn: {own}")
    if heard:
        print(f"\n{flags.background}: {heard}")
    return failed


def _answered(
    flags: argparse.Namespace, classifier: "FewShotClassifier", files: "Sequence[AudioFile]"
) -> "tuple[list[tuple[AudioFile, Answer]], int]":
    """The clips that could be answered, with their answers, and the exit code: 1 if some could not."""
    from mgcl.classifier.given import part_of
    from mgcl.progress import Bar

    captions = [file.caption or "" for file in files] if classifier.model_.own_captions else None
    if captions and not all(captions):
        raise DataError(f"{flags.clips}: the model needs captions: give a csv of path, label, caption")
    answers = classifier.answers([part_of(file.path, file.start, file.end) for file in files], captions)
    found = list(zip(files, Bar(answers, desc="clips", total=len(files), unit="clip"), strict=True))
    failed = [each for _, each in found if isinstance(each, DataError)]
    for each in failed:
        print(f"left out: {with_flags(each, flags.called)}", file=sys.stderr)
    return [(file, each) for file, each in found if not isinstance(each, DataError)], 1 if failed else 0


def _judged(classifier: "FewShotClassifier", new: "Sequence[tuple[AudioFile, Answer]]") -> "Verdict | LabelVerdict":
    from mgcl.classifier import label_scores, scores

    answers = [answer for _, answer in new]
    if classifier.multi_label:
        return label_scores.judge([file.labels or () for file, _ in new], answers)
    return scores.judge([file.label for file, _ in new], answers, classifier.reject_label)


def _on_background(
    flags: argparse.Namespace, classifier: "FewShotClassifier", clips: "Sequence[str]"
) -> "Background | None":
    """Answers to clips of none of the classes that the model was not fitted on; None if there are no such clips."""
    import numpy as np

    from mgcl.classifier.background import background

    given = list(classifier.answers(clips))
    for each in given:
        if isinstance(each, DataError):
            print(f"left out: {with_flags(each, flags.called)}", file=sys.stderr)
    answers = [each for each in given if not isinstance(each, DataError) and not each.in_support]
    if not answers:
        print(f"{flags.background}: no clips there that the model was not fitted on; name others", file=sys.stderr)
        return None
    named = np.array([bool(each.named) for each in answers])
    return background(named, np.array([list(each.probabilities.values()) for each in answers]))


def _write_errors(verdict: "Verdict | LabelVerdict", file: Path) -> None:
    import pandas as pd

    from mgcl.files import replacing

    file.parent.mkdir(parents=True, exist_ok=True)
    columns = ["clip", "true", "answered", "probability"]
    with replacing(file) as draft:
        pd.DataFrame([asdict(each) for each in verdict.wrong], columns=columns).to_csv(draft, index=False)
    print(f"{file}: {len(verdict.wrong)} wrong answers", file=sys.stderr)


def _show(verdict: "Verdict | LabelVerdict", *, fitted_on: int) -> None:
    from mgcl.classifier.scores import Verdict

    left_out = f"{fitted_on} clips were left out: the model was fitted on them\n" if fitted_on else ""
    if isinstance(verdict, Verdict):
        _show_classes(verdict, left_out)
    else:
        _show_labels(verdict, left_out)
    if verdict.wrong:
        print("\nwrong:")
    for each in verdict.wrong:
        print(f"{each.clip}\t{each.true or '-'}, answered {each.answered or '-'} ({100 * each.probability:.0f} %)")


def _show_labels(verdict: "LabelVerdict", left_out: str) -> None:
    import pandas as pd

    print(
        f"mAP {_percent(verdict.mean_average_precision)} %, micro F1 {_percent(verdict.micro_f1)} %, macro F1 "
        f"{_percent(verdict.macro_f1)} %, of {verdict.clips} clips; all labels right {_percent(verdict.exact)} %"
    )
    print(left_out, end="")
    print(
        f"given no class: {_percent(verdict.nothing)} % of the clips; clips of none of the classes that were given "
        f"one: {_percent(verdict.foreign)} %"
    )
    rows = [
        [_cell(label), each.clips, *map(_percent, (each.recall, each.precision, each.f1, each.average_precision))]
        for label, each in verdict.classes.items()
    ]
    columns = ["class", "clips", "recall %", "precision %", "F1 %", "average precision %"]
    print("\n" + pd.DataFrame(rows, columns=columns).to_markdown(index=False))
    one = [[f"{each.probability:g}", _percent(each.recall), _percent(each.precision)] for each in verdict.thresholds]
    columns = ["one threshold for all", "labels found %", "of those given right %"]
    print("\n" + pd.DataFrame(one, columns=columns).to_markdown(index=False))


def _show_classes(verdict: "Verdict", left_out: str) -> None:
    import pandas as pd

    share, low, high = (f"{100 * each:.1f}" for each in (verdict.accuracy, *verdict.interval))
    print(f"accuracy {share} % of {verdict.clips} clips (95 %: {low} to {high})")
    print(left_out, end="")
    if away := verdict.turned_away:
        kinds = (away.known, "the classes' clips"), (away.foreign, "other clips")
        print("turned away: " + ", ".join(f"{_percent(share)} % of {of}" for share, of in kinds if share is not None))
    if verdict.probabilities:
        figures = verdict.probabilities
        auroc = "not defined" if figures.auroc is None else f"{figures.auroc:.3f}"
        print(
            f"probabilities: log-loss {figures.log_loss:.3f}, Brier {figures.brier:.3f}, "
            f"calibration error {figures.calibration_error:.3f}, AUROC {auroc}"
        )
    table = pd.DataFrame(verdict.confusion).T.fillna(0).astype(int).sort_index(axis=1)
    table = table.rename(index=_cell, columns=_cell)
    print("\n" + table.rename_axis(index="true", columns="answered").to_markdown())
    rows = [
        [_cell(label), each.clips, _percent(each.recall), _percent(each.precision)]
        for label, each in verdict.classes.items()
    ]
    print("\n" + pd.DataFrame(rows, columns=["class", "clips", "recall %", "precision %"]).to_markdown(index=False))
    sure = [[f"{each.probability:g}", _percent(each.answered), _percent(each.right)] for each in verdict.thresholds]
    columns = ["probability at least", "clips answered %", "of these right %"]
    print("\n" + pd.DataFrame(sure, columns=columns).to_markdown(index=False))


def _cell(text: str) -> str:
    """Escape vertical bars, which would end the cell of a table."""
    return text.replace("|", "\\|")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
