"""``mgcl label``: label windows of an index in a browser, most informative first."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mgcl.cli.commands import Commands, check_address, check_out
from mgcl.errors import MgclError

if TYPE_CHECKING:
    from mgcl.classifier.estimator import FewShotClassifier
    from mgcl.classifier.index.index import Index
    from mgcl.classifier.labelling.session import Session

_HOST = "127.0.0.1"


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    label = commands.add_parser(
        "label",
        help="label windows of an index in a browser, most informative first; on this machine alone",
        description="Every answer is on the disk at once, as a row of the csv file of labels. Given again, the command "
        "goes on with them.",
    )
    label.add_argument("index", type=Path, metavar="INDEX", help="folder that `mgcl index` wrote")
    label.add_argument("--model", type=Path, metavar="MODEL", help="to begin with: a folder that `mgcl fit` wrote")
    label.add_argument(
        "--classes", nargs="+", default=[], metavar="CLASS", help="to label, beside those of --model; e.g. dog rain"
    )
    label.add_argument("--labels", type=Path, metavar="CSV", help="file of the labels (default: INDEX/labels.csv)")
    label.add_argument("--out", type=Path, metavar="MODEL", help="folder that every fit is saved to (default: none is)")
    label.add_argument("--weights", metavar="W", help="of the index's backbone, if they lie elsewhere now")
    label.add_argument("--device", default="cpu", help="a torch device (default: cpu)")
    label.add_argument("--port", type=int, default=7861, metavar="P", help="default: %(default)s")
    label.add_argument("--no-browser", action="store_true", help="only print the page's address")
    label.set_defaults(job=_label)


def _label(flags: argparse.Namespace) -> int:
    from mgcl.classifier.index.index import Index
    from mgcl.classifier.labelling.labels import label_file
    from mgcl.classifier.labelling.learning import start
    from mgcl.classifier.labelling.server import serve
    from mgcl.classifier.labelling.session import Session

    check_address(_HOST, flags.port)
    file = flags.labels or flags.index / "labels.csv"
    if flags.out is not None:
        check_out(flags.out, folder=True)
        if flags.model is not None and flags.out.absolute() == flags.model.absolute():
            raise MgclError(f"--out {flags.out}: is --model, whose clips would count again next time; name another")
    index = Index.open(flags.index)
    check_out(file, folder=False)
    print("opening the index ...", flush=True)
    begun = start(index, _classifier(flags, index), flags.classes, weights=flags.weights, device=flags.device)
    with label_file(file) as labels:
        session = Session(begun, labels, out=flags.out)
        if strangers := len(session.board.said) - len(session.board.by_row):
            print(f"{file}: {strangers} labelled windows are none of this index; they are left out")
        with suppress(KeyboardInterrupt):
            serve(session, flags.called, port=flags.port, browser=not flags.no_browser)
        _say(session, file, flags.out)
    return 0


def _classifier(flags: argparse.Namespace, index: "Index") -> "FewShotClassifier":
    from mgcl.classifier.estimator import FewShotClassifier

    if flags.model is not None:
        return FewShotClassifier.load(flags.model, weights=flags.weights, device=flags.device)
    header = index.header
    return FewShotClassifier(header.backbone, weights=flags.weights or header.known_weights, device=flags.device)


def _say(session: "Session", file: Path, out: Path | None) -> None:
    """Fit and save once more, and print what there is now."""
    session.finish()
    count, tests = (len(session.board.labelled(tests=tests)[0]) for tests in (False, True))
    print(f"{file}: {count} labelled windows to learn from, {tests} for tests")
    if fault := session.state()["fault"]:
        raise MgclError(f"{fault}; the labels are kept")
    if session.classifier is None:
        print("no model yet: it needs clips of two classes")
    elif out is None:
        print("no model was saved: give --out to save it")
    else:
        print(f"{out}: model of {', '.join(map(str, session.classifier.classes_))}")
