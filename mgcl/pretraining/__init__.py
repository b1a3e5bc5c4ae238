"""Pretraining of the tiny model by contrast between generated clips of the training classes and their captions."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

from mgcl.backbones import tiny
from mgcl.pretraining.corpus import VERSION, Corpus, build
from mgcl.pretraining.training import USAGE, Plan, train

_CAPTIONS = 2000


def pretrain(plan: Plan, work: Path, out: Path, *, workers: int) -> None:
    """Generate the corpus, train, and write weights, tokenizer, captions, and how the codebook was used.

    Args:
        plan: settings of the training. An interrupted run is resumed by a call with the same plan.
        work: folder for corpora and checkpoints, which stay there.
        out: folder to write, for ``mgcl.backbones.tiny.load``.
        workers: number of processes that generate clips.
    """
    corpus = build(work, clips=plan.clips, seed=0, workers=workers)
    run = work / f"run-{VERSION}-{plan.digest}"
    model, config, tokenizer = train(plan, corpus, run)
    captions = list(itertools.islice(dict.fromkeys(_nameless(corpus)), _CAPTIONS))
    tiny.save(model, config, tokenizer, captions, out)
    if (run / USAGE).exists():
        shutil.copy(run / USAGE, out / USAGE)


def _nameless(corpus: Corpus) -> Iterator[str]:
    """Yield a caption of every clip whose class has no name. Such captions describe the sound alone."""
    for captions, named in zip(corpus.captions, corpus.named, strict=True):
        if not named:
            yield captions[0]
