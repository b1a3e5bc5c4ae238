"""``mgcl evaluate``: score a model that ``mgcl fit`` made on labelled clips."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

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
    from mgcl.classifier.scores import Verdict


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
        "--errors", type=Path, metavar="FILE", help="write the wrong answers as csv: clip, true, answered, probability"
    )
    evaluate.add_argument("--json", action="store_true", help="print a json object")
    evaluate.set_defaults(job=_evaluate, called={"reject_label": "--none-of-these"})


def _evaluate(flags: argparse.Namespace) -> int:
    from mgcl.classifier.given import part_of
    from mgcl.classifier.scores import judge
    from mgcl.data.folder import labelled
    from mgcl.progress import Bar

    if flags.errors is not None:
        check_out(flags.errors, folder=False)
    if flags.clips.is_dir():
        say_what_is_passed_over(flags.clips)
    with warnings_as_lines(flags):
        files = labelled(flags.clips, least=1)
    classifier = open_model(flags)
    captions = [file.caption or "" for file in files] if classifier.model_.own_captions else None
    if captions and not all(captions):
        raise DataError(f"{flags.clips}: the model needs captions: give a csv of path, label, caption")
    clips = [part_of(file.path, file.start, file.end) for file in files]
    answers = classifier.answers(clips, captions)
    found = list(zip(files, Bar(answers, desc="clips", total=len(files), unit="clip"), strict=True))
    failed = [each for _, each in found if isinstance(each, DataError)]
    for each in failed:
        print(f"left out: {with_flags(each, flags.called)}", file=sys.stderr)
    answered = [(file.label, each) for file, each in found if not isinstance(each, DataError)]
    new = [(label, answer) for label, answer in answered if not answer.in_support]
    if not new:
        raise DataError(f"{flags.clips}: no clips there that the model was not fitted on; name others")
    verdict = judge([label for label, _ in new], [answer for _, answer in new], classifier.reject_label)
    if flags.errors is not None:
        _write_errors(verdict, flags.errors)
    if flags.json:
        print(json.dumps(asdict(verdict), ensure_ascii=False))
    else:
        _show(verdict, fitted_on=len(answered) - len(new))
    return 1 if failed else 0


def _write_errors(verdict: "Verdict", file: Path) -> None:
    import pandas as pd

    from mgcl.files import replacing

    file.parent.mkdir(parents=True, exist_ok=True)
    columns = ["clip", "true", "answered", "probability"]
    with replacing(file) as draft:
        pd.DataFrame([asdict(each) for each in verdict.wrong], columns=columns).to_csv(draft, index=False)
    print(f"{file}: {len(verdict.wrong)} wrong answers", file=sys.stderr)


def _show(verdict: "Verdict", *, fitted_on: int) -> None:
    import pandas as pd

    share, low, high = (f"{100 * each:.1f}" for each in (verdict.accuracy, *verdict.interval))
    print(f"accuracy {share} % of {verdict.clips} clips (95 %: {low} to {high})")
    if fitted_on:
        print(f"{fitted_on} clips were left out: the model was fitted on them")
    if away := verdict.turned_away:
        print(f"turned away: {_percent(away.known)} % of the classes' clips, {_percent(away.foreign)} % of other clips")
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
    if verdict.wrong:
        print("\nwrong:")
    for each in verdict.wrong:
        print(f"{each.clip}\t{each.true}, answered {each.answered} ({100 * each.probability:.0f} %)")


def _cell(text: str) -> str:
    """Escape vertical bars, which would end the cell of a table."""
    return text.replace("|", "\\|")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
