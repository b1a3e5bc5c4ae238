"""``mgcl pretrain``: train the tiny backbone from scratch."""

import argparse
from pathlib import Path

from mgcl.cli.commands import Commands
from mgcl.home import home

_NUMBERS = ("steps", "clips", "regularisation", "score_temperature")
"""Flags that leave the plan's own value where they are not given."""


def add(commands: Commands) -> None:
    """Add this command to the subcommands of ``mgcl``."""
    pretrain = commands.add_parser(
        "pretrain",
        help="train the tiny backbone again, from nothing",
        description="Generate the corpus, train, and write weights that `mgcl extract --weights DIR` reads. "
        "Stopped, it goes on from its newest checkpoint, in $MGCL_HOME/pretraining.",
    )
    pretrain.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder of the weights")
    pretrain.add_argument("--steps", type=int, metavar="N", help="default: what the shipped weights had")
    pretrain.add_argument("--clips", type=int, metavar="N", help="of the corpus; default as shipped")
    pretrain.add_argument("--seed", type=int, default=0, help="of the model and the batches (default: 0)")
    for part, what in (
        ("codebook", "clip and sentence are plain means"),
        ("locality", "the last block attends"),
        ("hard-negatives", "negatives weigh alike"),
        ("standardised", "frames and words keep the means and scales that they get"),
        ("soft-targets", "a clip drawn twice is a positive of one of its captions alone"),
    ):
        pretrain.add_argument(f"--without-{part}", action="store_true", help=what)
    pretrain.add_argument("--with-mlp", action="store_true", help="the last block has an MLP, as one that attends has")
    pretrain.add_argument(
        "--regularisation", type=float, metavar="W", help="weight of the embeddings' mean absolute value (default: 1)"
    )
    pretrain.add_argument("--score-temperature", type=float, metavar="T", help="of codewords (default: 1000)")
    pretrain.set_defaults(job=_pretrain)


def _pretrain(flags: argparse.Namespace) -> int:
    from joblib import cpu_count

    from mgcl.pretraining import pretrain
    from mgcl.pretraining.training import USAGE, Plan

    plan = Plan(
        seed=flags.seed,
        codebook=not flags.without_codebook,
        local=not flags.without_locality,
        hardness=0.0 if flags.without_hard_negatives else Plan.hardness,
        standardised=not flags.without_standardised,
        mlp=flags.with_mlp or flags.without_locality,
        soft_targets=not flags.without_soft_targets,
        **{name: given for name in _NUMBERS if (given := getattr(flags, name)) is not None},
    )
    pretrain(plan, home() / "pretraining", flags.out, workers=cpu_count())
    if (flags.out / USAGE).exists():
        print(f"{flags.out / USAGE}: how many codewords were in use, during the training")
    print(f"{flags.out}: weights, tokenizer and captions; use them with `mgcl extract --weights {flags.out}`")
    return 0
