"""How the tiny model is made: generated clips and captions of training classes, and a contrast between them."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from mgcl.backbones import tiny
from mgcl.pretraining.corpus import VERSION, Corpus, build
from mgcl.pretraining.training import Plan, train

_CAPTIONS = 2000


def pretrain(plan: Plan, work: Path, out: Path, *, workers: int) -> None:
    """Generate the corpus, train, and write weights, tokenizer and captions.

    Args:
        plan: what to do; stopped, the same plan goes on where it was.
        work: keeps corpora and checkpoints.
        out: what ``mgcl.backbones.tiny.load`` reads.
        workers: processes that generate clips.
    """
    corpus = build(work, clips=plan.clips, seed=0, workers=workers)
    model, config, tokenizer = train(plan, corpus, work / f"run-{VERSION}-{plan.digest}")
    captions = list(itertools.islice(dict.fromkeys(_nameless(corpus)), _CAPTIONS))
    tiny.save(model, config, tokenizer, captions, out)


def _nameless(corpus: Corpus) -> Iterator[str]:
    """Captions of clips whose class has no name: they say what is heard, and nothing else."""
    for captions, named in zip(corpus.captions, corpus.named, strict=True):
        if not named:
            yield captions[0]
