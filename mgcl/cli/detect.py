"""``mgcl detect``: find when the classes of a model sound in recordings."""

import argparse
import hashlib
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.clips import found_clips, openable
from mgcl.cli.commands import Commands, add_model, check_out, open_model, warnings_as_lines
from mgcl.errors import DataError, MgclError, with_flags

if TYPE_CHECKING:
    from mgcl import FewShotClassifier
    from mgcl.classifier.detector import Found, Rules


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    detect = commands.add_parser(
        "detect",
        help="find when the classes of a model sound in recordings of any length",
        description="One line per event: recording, start, end, class, probability. With --out a stopped command goes "
        "on where it was, and recordings that are done are not done again. A recording that cannot be decoded is named "
        "on stderr, the others are done, and the exit code is 1.",
    )
    add_model(detect)
    detect.add_argument(
        "recordings", nargs="+", metavar="RECORDING", help="a file, a folder, a pattern, or - for paths on stdin"
    )
    detect.add_argument(
        "--out", type=Path, metavar="PATH", help="a file; of --format audacity a folder (default: print the events)"
    )
    detect.add_argument(
        "--format", choices=("csv", "json", "audacity", "raven"), default="csv", help="default: %(default)s"
    )
    for name, default, what in (
        ("window", 1.0, "length of what is classified at once; at most the backbone's input"),
        ("hop", 0.25, "from one window to the next"),
        ("shortest", 0.9, "leave shorter events out"),
        ("gap", 1.0, "join events of a class that are less apart"),
    ):
        detect.add_argument(
            f"--{name}", type=float, default=default, metavar="S", help=f"seconds: {what} (default: {default:g})"
        )
    for name, what in (("on", "reaches (default: learnt from the model's clips)"), ("off", "keeps (default: on)")):
        detect.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="[CLASS=]P",
            help=f"probability that an event {what}; may be given once per class",
        )
    detect.add_argument(
        "--background",
        metavar="CLASS",
        help="class whose sounds are no events (default: the class background, if there is one)",
    )
    detect.add_argument("--workers", type=int, default=1, metavar="N", help="recordings side by side (default: 1)")
    detect.set_defaults(job=_detect)


def _detect(flags: argparse.Namespace) -> int:
    from mgcl.classifier.survey import detect_all, resumed
    from mgcl.progress import Bar

    _check(flags)
    paths, failed = found_clips(flags.recordings)
    if flags.format == "audacity" and flags.out is None and len(paths) > 1:
        raise MgclError("--format audacity is one file per recording: give --out FOLDER")
    classifier = open_model(flags)
    rules = _rules(flags, classifier)
    with resumed(_log(flags.out), _settings(flags, classifier, rules)) as survey:
        todo, seconds, faults = openable(
            [path for path in map(Path, paths) if not (path.is_file() and survey.has(path))]
        )
        if done := len(paths) - len(todo) - len(faults):
            print(f"{done} of {len(paths)} recordings were done before", file=sys.stderr)
        for fault in faults:
            print(f"error: {with_flags(fault, flags.called)}", file=sys.stderr)
        try:
            total, hidden = max(1, round(seconds / rules.hop)), flags.out is None and sys.stdout.isatty()
            with Bar(desc="detecting", unit="window", total=total, disable=hidden) as bar:
                for path, found in detect_all(classifier, todo, rules, workers=flags.workers, watch=bar.update):
                    if isinstance(found, DataError):
                        faults.append(found)
                        print(f"error: {with_flags(found, flags.called)}", file=sys.stderr, flush=True)
                    else:
                        survey.add(path, found)
        finally:
            _write(flags, survey.found, paths, highest=classifier.sample_rate_ / 2)
    return 1 if failed or faults else 0


def _check(flags: argparse.Namespace) -> None:
    """Check the flags that need no model.

    Raises:
        MgclError: one is out of range, or the output cannot be written.
    """
    for name in ("shortest", "gap"):
        if not 0 <= getattr(flags, name) < math.inf:
            raise MgclError(f"--{name} {getattr(flags, name):g}: a number of seconds, 0 or more")
    if not 0 < flags.hop < math.inf:
        raise MgclError(f"--hop {flags.hop:g}: a number of seconds above 0")
    if flags.workers < 1:
        raise MgclError(f"--workers {flags.workers}: at least 1")
    if flags.out is not None:
        check_out(flags.out, folder=flags.format == "audacity")


def _rules(flags: argparse.Namespace, classifier: "FewShotClassifier") -> "Rules":
    from mgcl.classifier.arguments import check_captions
    from mgcl.classifier.detector import BACKGROUND, Rules, chosen_thresholds
    from mgcl.classifier.given import LEAST_SECONDS

    check_captions(classifier.model_, None)
    if not LEAST_SECONDS <= flags.window <= classifier.seconds_:
        most = f"{LEAST_SECONDS:g} to {classifier.seconds_:g} s, the backbone's input"
        raise MgclError(f"--window {flags.window:g}: a window has {most}")
    on, off = (dict(_threshold(name, text) for text in getattr(flags, name)) for name in ("on", "off"))
    labels = [str(label) for label in classifier.classes_]
    background = flags.background or (BACKGROUND if BACKGROUND in labels else None)
    if background is None and classifier.reject_label is None and not classifier.multi_label:
        print(
            "warning: the model knows no background, so that every sound is one of its classes: fit it with a class "
            f"{BACKGROUND} of what sounds in between, or with --none-of-these",
            file=sys.stderr,
        )
    with warnings_as_lines(flags):
        thresholds = chosen_thresholds(classifier.model_, on=on, off=off, background=background)
    said = ", ".join(f"{label} {pair.on:.2f} / {pair.off:.2f}" for label, pair in thresholds.items())
    print(f"thresholds on / off: {said}", file=sys.stderr)
    return Rules(thresholds, flags.window, flags.hop, flags.shortest, flags.gap)


def _threshold(name: str, text: str) -> tuple[str, float]:
    """Class and threshold of ``CLASS=P``, or "" and the threshold of ``P``.

    Raises:
        MgclError: the text has neither form.
    """
    label, _, number = text.rpartition("=")
    try:
        return label, float(number)
    except ValueError:
        raise MgclError(f"--{name} {text}: write P or CLASS=P, e.g. --{name} 0.8 or --{name} dog=0.8") from None


def _settings(flags: argparse.Namespace, classifier: "FewShotClassifier", rules: "Rules") -> dict[str, object]:
    """Everything that the events of a recording depend on, by the words of a message."""
    from mgcl.classifier.hub import local_folder

    model = hashlib.sha256((local_folder(flags.model) / "model.json").read_bytes()).hexdigest()
    return {"model": model, "channels": classifier.channels, **asdict(rules)}


def _log(out: Path | None) -> Path | None:
    return out and out.with_name(f"{out.name}.progress.jsonl")


def _write(flags: argparse.Namespace, found: "Mapping[str, Found]", paths: Sequence[str], *, highest: float) -> None:
    """Write the events of all recordings that are done to ``--out``, or print those of this command's recordings."""
    from mgcl.classifier.event_files import Recording, as_text, write

    if flags.out is None:
        keys = {path: str(Path(path).absolute()) for path in paths}
        done = [Recording(path, found[key].events, found[key].seconds) for path, key in keys.items() if key in found]
        print(as_text(done, flags.format, highest=highest), end="")
        return
    done = [Recording(path, each.events, each.seconds) for path, each in sorted(found.items())]
    write(done, flags.format, flags.out, highest=highest)
    print(f"{flags.out}: {sum(len(each.events) for each in done)} events of {len(done)} recordings")
