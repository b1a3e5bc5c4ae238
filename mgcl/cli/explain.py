"""``mgcl explain-classes``: write explanations of classes with a language model."""

import argparse
from pathlib import Path

from mgcl.catalogue import names
from mgcl.cli.commands import Commands


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    explain = commands.add_parser(
        "explain-classes",
        help="have a language model write what classes sound like: makes what `mgcl extract --explanations` reads",
        description="Every answer is stored beside the output, and none is asked for twice: stopped, it goes on where "
        "it was. Classes that the output has already are kept.",
    )
    classes = explain.add_mutually_exclusive_group(required=True)
    classes.add_argument("--labels", nargs="+", metavar="LABEL", help="the classes")
    classes.add_argument("--dataset", metavar="NAME", help=f"whose classes: of {', '.join(names('dataset'))}")
    explain.add_argument("--root", metavar="DIR", type=Path, help="where the data set lies")
    explain.add_argument("--model", required=True, metavar="ID", help="on the Hugging Face hub, a folder, or at URL")
    explain.add_argument("--endpoint", metavar="URL", help="speaks OpenAI's protocol; its key is in OPENAI_API_KEY")
    explain.add_argument("--device", default="cpu", help="a torch device (default: cpu); not of an endpoint")
    explain.add_argument("--out", required=True, metavar="FILE", type=Path, help="a json file")
    explain.set_defaults(job=_explain)


def _explain(flags: argparse.Namespace) -> int:
    from mgcl.language.writers import endpoint_writer, transformers_writer
    from mgcl.language.writing import write_explanations
    from mgcl.pretrained import usable

    labels = _labels(flags)
    writer = (
        endpoint_writer(flags.endpoint, flags.model)
        if flags.endpoint
        else transformers_writer(flags.model, usable(flags.device))
    )
    written = write_explanations(labels, writer, flags.out, model=flags.model)
    print(f"{flags.out}: {len(written)} classes, {len(written[labels[0]].explanations)} explanations each")
    return 0


def _labels(flags: argparse.Namespace) -> tuple[str, ...]:
    from mgcl.data._opening import opened

    if flags.dataset is None:
        return tuple(dict.fromkeys(flags.labels))
    module, root = opened(flags.dataset, flags.root)
    return module.read(root).classes
