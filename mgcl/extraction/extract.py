"""From a data set to its bank.

A data set is cut into shards (``plan``). Each is embedded once (``embedding``) into a file of its own (``workbench``),
here or by actors (``actors``); when all are there they become a bank (``assembly``).
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from mgcl.backbones._probe import refuse_outputs
from mgcl.backbones.backbone import Backbone, Facts
from mgcl.data.dataset import Dataset
from mgcl.errors import BackboneError, BankError, DataError, SentenceError
from mgcl.extraction.assembly import assemble
from mgcl.extraction.plan import Shard, identity, plan
from mgcl.extraction.texts import Texts
from mgcl.extraction.workbench import Workbench
from mgcl.features import FeatureBank
from mgcl.progress import Bar
from mgcl.records import logit_scale_fault

Run = Callable[[Workbench], Iterable[Shard]]
"""Finishes what a workbench has to do, and yields each shard when its file is there."""


def extract(
    dataset: Dataset, backbone: Backbone, out: Path, *, texts: Texts | None = None, strict: bool = False
) -> FeatureBank:
    """Embed a data set in this process; see ``extract_by``."""
    texts = texts or Texts.of(dataset, backbone)
    return extract_by(in_process(backbone), dataset, backbone, out, texts, strict=strict)


def in_process(backbone: Backbone, decode_workers: int = 1) -> Run:
    """Embedding in this process, shard by shard.

    Args:
        backbone: what embeds.
        decode_workers: threads that read audio, at least 1.
    """

    def run(bench: Workbench) -> Iterator[Shard]:
        # The mel statistics' last digits depend on how many threads BLAS has.
        with ThreadPoolExecutor(decode_workers) as decoders, threadpool_limits(1, user_api="blas"):
            if any(shard.files for shard in bench.todo):
                refuse_outputs(backbone)  # of the catalogue's this was seen when it was loaded; others come as they are
            for shard in bench.todo:
                bench.finish(shard, backbone, decoders)
                yield shard

    return run


def extract_by(
    run: Run, dataset: Dataset, about: Facts, out: Path, texts: Texts, *, strict: bool = False
) -> FeatureBank:
    """Embed every clip and sentence, and write the bank; shards that an earlier, killed call finished are resumed from.

    Args:
        run: what embeds.
        dataset: what to embed.
        about: the backbone.
        out: the bank's folder; must not exist.
        texts: the sentences on clips and classes.
        strict: stop at a file that cannot be decoded, instead of leaving it out and listing it in the bank.

    Raises:
        BankError: the folder exists, or another extraction into it is under way.
        DataError: with ``strict`` a file cannot be decoded; or none can; or a clip id stands twice.
        BackboneError: a sentence cannot be embedded, or the logit scale is out of range.
    """
    if out.exists():
        raise BankError(f"{out}: exists already; name another folder, or remove it first")
    _refuse_in_vain(dataset, about)
    with _workbench(out, plan(dataset.files, texts.sentences), about) as bench:
        there, todo = bench.done, bench.todo
        if there:
            print(f"{bench.folder}: {len(there)} of {len(bench.shards)} shards are there already", flush=True)
        if strict:
            _refuse_gaps(bench)
        clips, left = (sum(len(shard.files) for shard in each) for each in (bench.shards, todo))
        with Bar(total=clips, initial=clips - left, desc="embedding clips", unit="clip") as bar:
            # A sentence that cannot be embedded is known before the first clip is embedded.
            for part in ([each for each in todo if each.sentences], [each for each in todo if each.files]):
                for shard in _named(run(bench.only(part)), texts):
                    bar.update(len(shard.files))
                    if strict:
                        _refuse_gaps(bench.only([shard]))
        bank = assemble(bench, dataset, about, texts, out)
    for leftover in out.parent.glob(f".{out.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return bank


def _refuse_in_vain(dataset: Dataset, about: Facts) -> None:
    """Refuse what no bank can have before the first clip is embedded."""
    if fault := logit_scale_fault(about.logit_scale):
        raise BackboneError(f"{about.name}: its logit scale is {fault}; choose other weights")
    for clip_id, times in Counter(file.clip_id for file in dataset.files).items():
        if times > 1:
            raise DataError(f"{dataset.name}: the clip id {clip_id!r} stands {times} times; give each clip its own")


def _named(shards: Iterable[Shard], texts: Texts) -> Iterator[Shard]:
    """Yield the shards; the error of a sentence that cannot be embedded names its clip or class."""
    try:
        yield from shards
    except SentenceError as error:
        raise BackboneError(f"{texts.owner(error.sentence)}: {error}") from None


def _refuse_gaps(bench: Workbench) -> None:
    for reason in bench.left_out().values():
        raise DataError(f"`strict`: {reason}")


@contextmanager
def _workbench(out: Path, shards: tuple[Shard, ...], about: Facts) -> Iterator[Workbench]:
    """A folder beside the bank for its shards; it stays if the extraction does not end."""
    folder = out.absolute().with_name(f".{out.name}-{identity(shards, about)}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield Workbench(folder, shards)
    except Timeout:
        raise BankError(
            f"{out}: another extraction into it is under way; wait for it, or name another folder"
        ) from None
