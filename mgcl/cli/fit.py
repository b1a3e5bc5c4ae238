"""``mgcl fit``: fit a classifier to a folder of labelled clips."""

import argparse
import ast
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgcl.backbones import for_recordings, reads_text
from mgcl.catalogue import names
from mgcl.cli.commands import (
    Commands,
    add_backbone,
    add_channels,
    check_out,
    chosen_backbone,
    say_what_is_passed_over,
    warnings_as_lines,
)
from mgcl.errors import MgclError
from mgcl.methods.variants import DEFAULT_METHOD, WITHOUT_TEXT

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
    fit.add_argument("--out", required=True, type=Path, metavar="DIR", help="the model's folder")
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
    fit.set_defaults(job=_fit, called={"reject_label": "--none-of-these"})


def _fit(flags: argparse.Namespace) -> int:
    backbone = chosen_backbone(flags)
    check_out(flags.out, folder=True)
    flags.method = flags.method or _default_method(backbone)
    _check_method(flags.method)
    with warnings_as_lines(flags):
        files, options = _files(flags), _options(flags)
    _check_comparison(flags, Counter(file.label for file in files))
    if flags.reject_rate is not None:
        if not flags.none_of_these:
            raise MgclError("--reject-rate says how many clips --none-of-these may reject: give that flag too")
        options["reject_rate"] = flags.reject_rate
    if backbone == "tiny" and not flags.weights:
        clap = for_recordings()
        command = shlex.join(["mgcl", *_with_backbone(flags.typed, clap.name)])
        print(f"tiny knows generated sounds alone; for recordings take a CLAP: {command} ({clap.why})", flush=True)

    from mgcl import FewShotClassifier
    from mgcl.classifier.given import part_of

    captions = [file.caption for file in files if file.caption] or None
    if captions and len(captions) < len(files):
        raise MgclError(f"{len(captions)} of {len(files)} clips have a caption; give all one, or none")
    classifier = FewShotClassifier(
        backbone,
        weights=flags.weights,
        device=flags.device,
        channels=flags.channels,
        reject_label="none of these" if flags.none_of_these else None,
        verbose=True,
        method=flags.method,
        **options,
    )
    with warnings_as_lines(flags):
        classifier.fit(
            [part_of(file.path, file.start, file.end) for file in files],
            [file.label for file in files],
            explanations=flags.explanations,
            captions=None if flags.audio_only else captions,
        )
    _print_comparison(flags, classifier)
    replaced = (flags.out / "model.json").exists()
    classifier.save(flags.out)
    if replaced:
        print(f"{flags.out}: held a model, which this one has replaced")
    if away := classifier.turned_away_:
        print(
            f'"none of these": of new clips of these classes about {100 * away.known:.0f} % will be rejected, of '
            f"clips of other classes {100 * away.foreign:.0f} % (estimated by leaving clips and classes out; "
            "--reject-rate moves it)"
        )
    clips = len(classifier.model_.examples.labels)
    use = f"mgcl predict {shlex.quote(str(flags.out))} CLIP ..."
    print(f"{flags.out}: {clips} clips of {len(classifier.classes_)} classes; {use}")
    return 0


def _files(flags: argparse.Namespace) -> "tuple[AudioFile, ...]":
    """The clips to learn from: those of FOLDER and the events of ``--annotations``.

    Raises:
        MgclError: neither is given, or the model would lie where the clips are.
        DataError: a class, a clip or an annotation is wrong; names it.
    """
    from mgcl.classifier.annotations import read
    from mgcl.data.folder import labelled

    if flags.clips is None and not flags.annotations:
        raise MgclError("give FOLDER, with one sub-folder per class, or --annotations FILE")
    if flags.recordings is not None and not flags.recordings.is_dir():
        raise MgclError(f"--recordings {flags.recordings}: no such folder")
    clips: tuple[AudioFile, ...] = ()
    if flags.clips is not None:
        if flags.out.absolute() == flags.clips.absolute():
            raise MgclError(f"--out {flags.out}: that is where the clips are; name another folder")
        if flags.clips.is_dir():
            say_what_is_passed_over(flags.clips)
        clips = labelled(flags.clips, least=1 if flags.annotations else 2)
    return clips + tuple(clip for file in flags.annotations for clip in read(file, flags.recordings))


def _options(flags: argparse.Namespace) -> dict[str, Any]:
    """Options of the method from the command line. Values are Python literals (2, 0.5, True, None) or else text.

    Raises:
        MgclError: the method has no option of that name, or needs captions despite ``--audio-only``.
    """
    from mgcl.classifier.learner import Learner, options_of

    known = options_of(flags.method)
    options: dict[str, Any] = {}
    if flags.audio_only and Learner.named(flags.method, {}).needs_captions:
        if "fusion" not in known:
            raise MgclError(f"--audio-only: the method {flags.method} needs captions")
        options["fusion"] = "audio"
    for words in flags.option:
        name, text = _pair(words)
        if name not in known:
            has = ", ".join(known) or "no options"
            raise MgclError(f"--option {name}: the method {flags.method} has none of that name; it has {has}")
        try:
            options[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[name] = text
    return options


def _pair(words: list[str]) -> tuple[str, str]:
    """Name and value of one option, written as NAME=VALUE or NAME VALUE.

    Raises:
        MgclError: the words have neither form.
    """
    name, equals, value = words[0].partition("=")
    if len(words) == 1 and equals:
        return name, value
    if len(words) == 2 and not equals:
        return name, words[1]
    raise MgclError(f"--option {' '.join(words)}: write NAME=VALUE, e.g. --option alpha=2")


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


def _check_method(name: str) -> None:
    if name not in names("method", "few_shot"):
        raise MgclError(
            f"--method {name}: there is none of that name; there are: {', '.join(names('method', 'few_shot'))}"
        )


def _check_comparison(flags: argparse.Namespace, clips: Mapping[str, int]) -> None:
    if flags.compare and (single := [label for label, count in clips.items() if count < 2]):
        raise MgclError(
            f"--compare leaves clips out, and there is one clip alone of {', '.join(single)}: add another, or leave "
            "out --compare"
        )


def _print_comparison(flags: argparse.Namespace, classifier: "FewShotClassifier") -> None:
    """Print the comparison of methods if ``--compare`` is given: one line per method, the best first."""
    if not flags.compare:
        return
    from mgcl.classifier.comparison import compared

    support = classifier.model_.support
    with warnings_as_lines(flags):
        for each in compared(support, seed=int(support.seeds)):
            print(f"{each.method}\t{100 * each.accuracy:.1f} %\t{each.correct} of {each.clips} clips, left out in turn")
