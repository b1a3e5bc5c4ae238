"""``mgcl demo``: serve a local web page to try a model that ``mgcl fit`` made."""

import argparse
import os
import tempfile
from contextlib import suppress

from mgcl.cli.commands import Commands, add_address, add_model, check_address, open_model


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    demo = commands.add_parser(
        "demo", help="try a model in a browser: drop or record a clip, add a class; on this machine alone"
    )
    add_model(demo)
    add_address(demo, port=7860)
    demo.set_defaults(job=_demo)


def _demo(flags: argparse.Namespace) -> int:
    check_address(flags.host, flags.port)
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="mgcl-demo-") as uploads:
        # gradio reads these variables when it is imported.
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": uploads}
        from mgcl.classifier.demo import Session, serve
        from mgcl.classifier.hub import check_local

        check_local(flags.model)  # the page can enlarge it
        print("opening the model ...", flush=True)
        classifier = open_model(flags)
        session = Session(classifier, flags.model, flags.called)
        serve(session, host=flags.host, port=flags.port, browser=not flags.no_browser)
    return 0
