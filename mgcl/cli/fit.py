"""``mgcl fit``: fit a classifier to a folder of labelled clips."""

import argparse
import shlex
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.backbones import for_recordings, reads_text
from mgcl.catalogue import names
from mgcl.cli import fit_input
from mgcl.cli.commands import (
    Commands,
    add_backbone,
    add_channels,
    check_out,
    chosen_backbone,
    open_model,
    warnings_as_lines,
)
from mgcl.errors import MgclError, MgclWarning
from mgcl.methods import DEFAULT_METHOD, WITHOUT_TEXT

if TYPE_CHECKING:
    from mgcl import FewShotClassifier
    from mgcl.data.dataset import AudioFile


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    fit = commands.add_parser(
        "fit",
        help="learn to recognise your own sounds from a folder with a few clips per class",
        description="Makes a model that `mgcl predict`, `mgcl evaluate` and `mgcl demo` open.",
    )
    fit.add_argument(
        "clips",
        type=Path,
        nargs="?",
        metavar="FOLDER",
        help="one sub-folder per class; or a csv of path, label, caption, start, end",
    )
    fit.add_argument(
        "--annotations",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="events of recordings to learn from, alone or beside FOLDER: a Raven selection table, an Audacity label "
        "track, or what `mgcl detect` wrote",
    )
    fit.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="where the recordings of --annotations lie (default: the folder of each file)",
    )
    fit.add_argument("--out", type=Path, metavar="DIR", help="the model's folder")
    add_backbone(fit)
    fit.add_argument("--weights", metavar="W", help="of the backbone: a path or a Hugging Face id")
    fit.add_argument("--device", default="cpu", help="a torch device (default: cpu)")
    fit.add_argument(
        "--explanations",
        metavar="FILE",
        help="json, as `mgcl explain-classes` writes it; or a data set whose explanations come with mgcl, e.g. esc50 "
        "(default: the class names in plain sentences)",
    )
    add_channels(fit)
    fit.set_defaults(channels=None)  # so that --update sees whether it was given
    fit.add_argument("--audio-only", action="store_true", help="go by sounds and explanations, without captions")
    fit.add_argument("--none-of-these", action="store_true", help='learn when to answer "none of these"')
    fit.add_argument(
        "--reject-rate",
        type=float,
        metavar="R",
        help="with --none-of-these: the greatest share of clips of your classes that may be rejected, from 0 to "
        "less than 1 (default: 0.1)",
    )
    fit.add_argument(
        "--multi-label",
        action="store_true",
        help="a clip may have several classes: as one file in several folders, in several lines of the csv, or in one "
        "line as dog;rain; every class gets a probability and a threshold of its own",
    )
    fit.add_argument(
        "--background",
        type=Path,
        metavar="FOLDER",
        help="clips of none of the classes, such as noise and foreign sounds, in it and in its sub-folders: they teach "
        "--none-of-these, or the thresholds of --multi-label",
    )
    fit.add_argument(
        "--update",
        type=Path,
        metavar="MODEL",
        help="add these clips to a model, of its classes or of new ones; only clips that it does not hold are embedded "
        "(default of --out: MODEL itself)",
    )
    fit.add_argument(
        "--method",
        metavar="NAME",
        help=f"of {', '.join(names('method', 'few_shot'))} (default: {DEFAULT_METHOD}; {WITHOUT_TEXT} on a backbone "
        "without a text side)",
    )
    fit.add_argument(
        "--option",
        nargs="+",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the method, e.g. alpha=2; may be given several times, and as two words: alpha 2",
    )
    fit.add_argument(
        "--compare",
        action="store_true",
        help="print how many of these clips each method recognises when it is fitted without them",
    )
    fit.add_argument(
        "--keep-sounds",
        action="store_true",
        help="keep the clips' sounds in the model's folder, so that the page of `mgcl predict --explain` plays them",
    )
    fit.set_defaults(job=_fit, called={"reject_label": "--none-of-these"})


def _fit(flags: argparse.Namespace) -> int:
    if flags.update is not None:
        return _update(flags)
    if flags.out is None:
        raise MgclError("give --out DIR, the model's folder")
    fit_input.check_flags(flags)
    backbone = chosen_backbone(flags)
    check_out(flags.out, folder=True)
    flags.method = flags.method or _default_method(backbone)
    with warnings_as_lines(flags):
        files, options = fit_input.files(flags, several=flags.multi_label), fit_input.options(flags)
    background = fit_input.background(flags)
    fit_input.check_comparison(flags, Counter(file.label for file in files))
    if flags.reject_rate is not None:
        options["reject_rate"] = flags.reject_rate
    if backbone == "tiny" and not flags.weights:
        clap = for_recordings()
        if flags.backbone or clap.here:  # else the choice of tiny was explained with what is better
            command = shlex.join(["mgcl", *_with_backbone(flags.typed, clap.name)])
            print(f"tiny knows generated sounds alone; for recordings take a CLAP: {command} ({clap.why})", flush=True)

    from mgcl import FewShotClassifier

    classifier = FewShotClassifier(
        backbone,
        weights=flags.weights,
        device=flags.device,
        channels=flags.channels,
        reject_label="none of these" if flags.none_of_these else None,
        multi_label=flags.multi_label,
        verbose=True,
        method=flags.method,
        **options,
    )
    with warnings_as_lines(flags):
        classifier.fit(
            *fit_input.clips(files, several=flags.multi_label),
            explanations=flags.explanations,
            captions=fit_input.captions(flags, files),
            background=background,
        )
    replaced = (flags.out / "model.json").exists()
    classifier.save(flags.out)
    _keep_sounds(flags, classifier, files)
    if replaced:
        print(f"{flags.out}: held a model, which this one has replaced")
    _say(classifier, flags.out)
    _print_comparison(flags, classifier)
    return 0


def _update(flags: argparse.Namespace) -> int:
    """Add clips to the model that ``--update`` names."""
    fixed = ("backbone", "channels", "method", "reject_rate")
    given = [name for name in fixed if getattr(flags, name) is not None]
    given += [
        name for name in ("none_of_these", "multi_label", "audio_only", "option", "compare") if getattr(flags, name)
    ]
    if given:
        raise MgclError(f"`{given[0]}`: a model keeps what it was fitted with; leave it out, or fit a new model")
    flags.model, flags.out = flags.update, flags.out or flags.update
    check_out(flags.out, folder=True)
    classifier = open_model(flags).set_params(verbose=True)
    several, before = classifier.multi_label, len(classifier.model_.all_examples.names)
    with warnings_as_lines(flags), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*: each counts once", MgclWarning)  # what the model holds is no mistake
        files = fit_input.files(flags, several=several, least=1)
        classifier.add_classes(
            *fit_input.clips(files, several=several),
            explanations=flags.explanations,
            captions=fit_input.captions(flags, files) if classifier.model_.own_captions else None,
            background=fit_input.background(flags),
        )
    new = len(classifier.model_.all_examples.names) - before
    print(f"{flags.update}: held {before} {'labels' if several else 'clips'}, and {new} are new")
    classifier.save(flags.out)
    _keep_sounds(flags, classifier, files)
    _say(classifier, flags.out)
    return 0


def _keep_sounds(flags: argparse.Namespace, classifier: "FewShotClassifier", files: "Sequence[AudioFile]") -> None:
    if flags.keep_sounds:
        from mgcl.classifier.kept_sounds import keep

        clips, _ = fit_input.clips(files, several=classifier.multi_label)
        keep(flags.out, map(classifier.sound, clips), classifier.sample_rate_)


def _say(classifier: "FewShotClassifier", out: Path) -> None:
    """Print what a model has learnt, and how to use it."""
    model = classifier.model_
    if away := classifier.turned_away_:
        print(
            f'"none of these": of new clips of these classes about {100 * away.known:.0f} % will be rejected, of '
            f"clips of other classes {100 * away.foreign:.0f} % (estimated by leaving clips and classes out; "
            "--reject-rate moves it)"
        )
        if round(100 * away.foreign) == 0:
            print("it would turn no sound away: raise --reject-rate, e.g. to 0.3, or give others with --background DIR")
    if several := model.several:
        pairs = zip(classifier.classes_, several.thresholds, strict=True)
        print(f"thresholds: {', '.join(f'{label} {threshold:.2f}' for label, threshold in pairs)}")
        if several.precision is not None and several.f1 is not None:
            print(
                f"clips left out in turn: mAP {100 * several.precision:.1f} %, micro F1 {100 * several.f1:.1f} % (the "
                "thresholds were learnt from the same clips, so F1 is optimistic)"
            )
    if classifier.background_:
        print(f"background, left out in turn: {classifier.background_}")
    clips = len(set(model.examples.digests))
    use = f"mgcl predict {shlex.quote(str(out))} CLIP ..."
    print(f"{out}: {clips} clips of {len(classifier.classes_)} classes; {use}")


def _with_backbone(words: Sequence[str], name: str) -> list[str]:
    """The words of the command with another backbone."""
    if "--backbone" not in words:
        return [*words, "--backbone", name]
    at = words.index("--backbone")
    return [*words[: at + 1], name, *words[at + 2 :]]


def _default_method(backbone: str) -> str:
    if reads_text(backbone):
        return DEFAULT_METHOD
    print(f"method: {WITHOUT_TEXT}, since the backbone {backbone} has no text side", flush=True)
    return WITHOUT_TEXT


def _print_comparison(flags: argparse.Namespace, classifier: "FewShotClassifier") -> None:
    """Print the comparison of methods if ``--compare`` is given: one line per method, the best first."""
    if not flags.compare:
        return
    from mgcl.classifier.comparison import compared

    support = classifier.model_.support
    with warnings_as_lines(flags):
        for each in compared(support, seed=int(support.seeds)):
            print(f"{each.method}\t{100 * each.accuracy:.1f} %\t{each.correct} of {each.clips} clips, left out in turn")
