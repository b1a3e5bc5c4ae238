"""``mgcl model``: look at a model that ``mgcl fit`` made, and change its classes."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.clips import found_clips
from mgcl.cli.commands import Commands, add_model, check_out, open_model, warnings_as_lines
from mgcl.errors import MgclError

if TYPE_CHECKING:
    from mgcl import FewShotClassifier

_MODEL = "folder that `mgcl fit` wrote, or hub:OWNER/NAME@COMMIT"
_OPENED = "changes the model in its folder; --out writes it elsewhere"


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    model = commands.add_parser(
        "model",
        help="show a model, write its card, export it, publish it, and add, remove or rename classes",
        description="The result of a change equals a fit on the remaining clips: nothing is embedded again.",
    )
    kinds = model.add_subparsers(required=True, metavar="WHAT", dest="what")

    show = kinds.add_parser("show", help="print classes, backbone, method and calibration")
    show.add_argument("model", type=Path, metavar="MODEL", help=_MODEL)
    show.set_defaults(job=_show)

    card = kinds.add_parser("card", help="write a model card in markdown: classes, figures, calibration, licences")
    card.add_argument("model", type=Path, metavar="MODEL", help=_MODEL)
    card.add_argument("--out", type=Path, metavar="FILE", help="default: print it")
    card.set_defaults(job=_card)

    export = kinds.add_parser(
        "export",
        help="write the model and its backbone as one ONNX graph",
        description="From the samples of one window to probabilities; resampling stays outside. The file is kept only "
        "if onnxruntime computes what the model computes.",
    )
    add_model(export)
    export.add_argument("--onnx", required=True, type=Path, metavar="FILE", help="file to write")
    export.set_defaults(job=_export)

    push = kinds.add_parser(
        "push",
        help="publish the model with its card on the Hugging Face hub",
        description="One commit; prints the name by which `mgcl predict` opens it. Needs `hf auth login`.",
    )
    push.add_argument("model", type=Path, metavar="MODEL", help="folder that `mgcl fit` wrote")
    push.add_argument("repository", metavar="OWNER/NAME", help="made if it is missing")
    push.add_argument("--public", action="store_true", help="a repository that is made is public (default: private)")
    push.set_defaults(job=_push)

    more = kinds.add_parser("add", help="learn clips of a new or a known class", description=_OPENED)
    add_model(more)
    more.add_argument("label", metavar="CLASS")
    more.add_argument("clips", nargs="+", metavar="CLIP", help="a file, a folder, a pattern, or - for paths on stdin")
    more.set_defaults(job=_add)

    less = kinds.add_parser("remove", help="forget a class", description=_OPENED)
    add_model(less)
    less.add_argument("label", metavar="CLASS")
    less.set_defaults(job=_remove)

    rename = kinds.add_parser("rename", help="give a class another name", description=_OPENED)
    add_model(rename)
    rename.add_argument("label", metavar="OLD")
    rename.add_argument("name", metavar="NEW")
    rename.set_defaults(job=_rename)

    for each in (more, less, rename):
        each.add_argument("--out", type=Path, metavar="DIR", help="folder of the changed model (default: MODEL)")


def _show(flags: argparse.Namespace) -> int:
    from mgcl.classifier import storage
    from mgcl.classifier.card import facts
    from mgcl.classifier.hub import local_folder

    for name, fact in facts(*storage.read(local_folder(flags.model))).items():
        print(f"{name}: {fact}")
    return 0


def _card(flags: argparse.Namespace) -> int:
    from mgcl.classifier import storage
    from mgcl.classifier.card import card
    from mgcl.classifier.hub import local_folder
    from mgcl.files import replacing

    if flags.out is not None:
        check_out(flags.out, folder=False)
    text = card(*storage.read(local_folder(flags.model)), flags.model.absolute().name)
    if flags.out is None:
        print(text, end="")
        return 0
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(flags.out) as draft:
        draft.write_text(text, encoding="utf-8")
    print(f"{flags.out}: card of {flags.model}")
    return 0


def _export(flags: argparse.Namespace) -> int:
    from mgcl.classifier.onnx_graph import INPUT, export_onnx

    check_out(flags.onnx, folder=False)
    if flags.device != "cpu":
        raise MgclError(f"--device {flags.device}: a graph is written on the CPU; leave it out")
    classifier = open_model(flags)
    difference = export_onnx(classifier, flags.onnx)
    samples = round(classifier.seconds_ * classifier.sample_rate_)
    print(
        f"{flags.onnx}: {flags.onnx.stat().st_size / 1e6:.1f} MB, takes {INPUT} (windows, {samples}) at "
        f"{classifier.sample_rate_} Hz; probabilities differ from the model's by at most {difference:.1e}"
    )
    return 0


def _push(flags: argparse.Namespace) -> int:
    from mgcl.classifier import storage
    from mgcl.classifier.hub import check_local, push

    check_local(flags.model)
    weights = storage.read(flags.model)[1]["estimator"]["weights"]
    if weights is not None and (flags.model / weights).exists():
        print(f"the backbone's weights {weights} lie on this machine alone: who opens the model gives --weights")
    print(f"mgcl predict {push(flags.model, flags.repository, private=not flags.public)} CLIP ...")
    return 0


def _add(flags: argparse.Namespace) -> int:
    clips, failed = found_clips(flags.clips)
    if failed:
        raise MgclError(f"{flags.model}: was not changed; give paths that exist")
    return _changed(flags, lambda classifier: classifier.add_classes(clips, [flags.label] * len(clips)))


def _remove(flags: argparse.Namespace) -> int:
    return _changed(flags, lambda classifier: classifier.remove_class(flags.label))


def _rename(flags: argparse.Namespace) -> int:
    return _changed(flags, lambda classifier: classifier.rename_class(flags.label, flags.name))


def _changed(flags: argparse.Namespace, change: "Callable[[FewShotClassifier], object]") -> int:
    """Open the model, change it and save it."""
    from mgcl.classifier.hub import check_local

    out = flags.out or flags.model
    check_local(out)
    check_out(out, folder=True)
    with warnings_as_lines(flags):
        classifier = open_model(flags)
        change(classifier)
    classifier.save(out)
    clips = len(classifier.model_.examples.labels)
    print(f"{out}: {clips} clips of {len(classifier.classes_)} classes: {', '.join(map(str, classifier.classes_))}")
    return 0
