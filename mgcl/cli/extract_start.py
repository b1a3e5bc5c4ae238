"""What every kind of ``mgcl extract`` begins with: whether the arguments fit the data set, and the backbone started."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mgcl.catalogue import load
from mgcl.errors import MgclError
from mgcl.extras import missing

if TYPE_CHECKING:
    from mgcl.backbones.backbone import Facts
    from mgcl.cluster.machines import Machines
    from mgcl.extraction.extract import Run


def check_videos(flags: argparse.Namespace, pictures: bool) -> None:
    """Refuse what does not fit the data set, before anything is listed or loaded.

    Raises:
        MgclError: an argument is of videos and the data set of sounds, or the other way round; or one is wrong.
    """
    from mgcl.extraction.words import check_words

    of_videos = {name: getattr(flags, name) for name in ("visual_backbone", "visual_weights", "words")}
    of_sounds = {name: getattr(flags, name) for name in ("captions", "explanations", "prompt", "window", "float16")}
    for name, value in (of_sounds if pictures else of_videos).items():
        if value is not None:
            kind = "videos, whose banks hold tokens and word vectors" if pictures else "sounds alone"
            raise MgclError(f"`{name}`: {flags.dataset} is a data set of {kind}; leave it out")
    if pictures:
        if lacking := missing("av"):
            raise MgclError(f"videos need {lacking}")
        if flags.visual_backbone is not None:
            load("visual_backbone", flags.visual_backbone)
        if flags.words is not None:
            check_words(flags.words)


def say_whether_ray(machines: "Machines") -> None:
    """Say so if Ray is not installed, and what that means.

    Raises:
        MgclError: it is not, and an argument needs it.
    """
    from mgcl.cluster.machines import Machines

    if lacking := missing("ray"):
        if machines != Machines():
            raise MgclError(f"--address, --actors and --gpus-per-actor need {lacking}; or leave them out")
        print(f"extracting in this process, on one CPU or GPU; on all of them needs {lacking}", flush=True)


@contextmanager
def started(
    flags: argparse.Namespace, machines: "Machines", visual: tuple[str, str | None] | None = None
) -> "Iterator[tuple[Facts, Run]]":
    """Start the backbone, and for videos the visual one: in actors, or in this process if Ray is not installed.

    Yields:
        The backbone's facts, and the function that embeds with it.
    """
    if missing("ray"):
        import torch

        from mgcl.extraction.embedding import load_exact
        from mgcl.extraction.extract import in_process
        from mgcl.extraction.tokens import Pair, load_visual

        device = "cuda" if torch.cuda.is_available() else "cpu"
        backbone = load_exact(flags.backbone, flags.weights, device)
        backbone = Pair(backbone, load_visual(*visual, device)) if visual else backbone
        yield backbone, in_process(backbone, flags.decode_workers)
        return
    from joblib import cpu_count

    from mgcl.extraction.actors import start_actors

    choice = flags.backbone, flags.weights
    with start_actors(
        *choice, machines, cpus=cpu_count(), decode_workers=flags.decode_workers, visual=visual
    ) as actors:
        yield actors.about, actors.run
