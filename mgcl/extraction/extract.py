"""Extract the bank of a data set.

The data set is divided into shards (``plan``). Every shard is embedded once (``embedding``) into a file of its own
(``workbench``), in this process or by actors (``actors``). The finished shards are assembled into a bank
(``assembly``).
"""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from mgcl.backbones._probe import refuse_outputs
from mgcl.backbones.backbone import Backbone, Facts, reads_text
from mgcl.data._faults import faults
from mgcl.data.dataset import Dataset
from mgcl.errors import BackboneError, BankError, DataError, SentenceError
from mgcl.extraction.assembly import assemble
from mgcl.extraction.assembly_of_videos import assemble_videos
from mgcl.extraction.plan import Shard, identity, plan
from mgcl.extraction.texts import Texts
from mgcl.extraction.workbench import Workbench
from mgcl.features import FeatureBank
from mgcl.features.columns import Floats
from mgcl.features.parts import NEEDED
from mgcl.progress import Bar
from mgcl.records import logit_scale_fault

Run = Callable[[Workbench], Iterable[Shard]]
"""Function that finishes the shards of a workbench, and yields each shard once its file is complete."""


def extract(
    dataset: Dataset, backbone: Backbone, out: Path, *, texts: Texts | None = None, strict: bool = False
) -> FeatureBank:
    """Embed a data set in this process and write its bank; see ``extract_by``."""
    texts = texts or Texts.of(dataset, backbone)
    return extract_by(in_process(backbone), dataset, backbone, out, texts, strict=strict)


def in_process(backbone: Backbone, decode_workers: int = 1) -> Run:
    """Return a ``Run`` that embeds in this process, shard by shard.

    Args:
        backbone: backbone that embeds.
        decode_workers: number of threads that decode audio, at least 1.
    """

    def run(bench: Workbench) -> Iterator[Shard]:
        # The mel statistics' last digits depend on how many threads BLAS has.
        with ThreadPoolExecutor(decode_workers) as decoders, threadpool_limits(1, user_api="blas"):
            if any(shard.clips for shard in bench.todo):
                refuse_outputs(backbone)  # a backbone of the catalogue was checked on loading, others were not
            for shard in bench.todo:
                bench.finish(shard, backbone, decoders)
                yield shard

    return run


def extract_by(
    run: Run, dataset: Dataset, about: Facts, out: Path, texts: Texts, *, strict: bool = False, half: bool = False
) -> FeatureBank:
    """Embed every clip and sentence, and write the bank. Shards that an interrupted call finished are reused.

    Args:
        run: function that embeds the shards.
        dataset: data set to embed.
        about: facts about the backbone.
        out: folder of the bank; must not exist.
        texts: sentences on clips and classes.
        strict: whether to stop at a file that cannot be decoded; else it is left out, and the bank lists it.
        half: whether segments are stored in float16. Other numbers of the bank stay float32.

    Raises:
        BankError: the folder exists, or another extraction into it is running.
        DataError: a file cannot be decoded and ``strict`` is set; no file can be decoded; or the data set
            contradicts itself, e.g. two clips have the same id.
        BackboneError: a sentence cannot be embedded, or the logit scale is out of range.
    """
    sentences = plan(dataset.files, texts.sentences)

    def assembled(bench: Workbench) -> FeatureBank:
        return assemble(bench, dataset, about, texts, out, half=half)

    return _made(run, dataset, about, out, sentences, strict, assembled, texts)


def extract_videos_by(
    run: Run, dataset: Dataset, about: Facts, out: Path, words: Mapping[str, Floats], *, strict: bool = False
) -> FeatureBank:
    """Embed the sound and the picture of every video as tokens, and write the bank; see ``extract_by``.

    Args:
        run: function that embeds the shards, with a ``Pair``.
        dataset: data set of videos.
        about: facts about the pair.
        out: folder of the bank; must not exist.
        words: class -> word vector, all of one dimension.
        strict: as in ``extract_by``.

    Raises:
        BankError: as in ``extract_by``.
        DataError: as in ``extract_by``; or see ``check_splits``.
    """
    check_splits(dataset)
    shards = plan(dataset.files, ())
    return _made(
        run, dataset, about, out, shards, strict, lambda bench: assemble_videos(bench, dataset, about, words, out)
    )


def check_splits(dataset: Dataset) -> None:
    """Refuse splits with which no bank can be written, before anything is embedded.

    Raises:
        DataError: some clips have a split and others none, or a class lacks a clip of a split that its part needs.
    """
    there = {(file.label, file.split) for file in dataset.files}
    without = [file.clip_id for file in dataset.files if file.split is None]
    if not without:
        for label, part in dataset.parts.items():
            for split in NEEDED[part]:
                if (label, split) not in there:
                    raise DataError(
                        f"{dataset.name}: class {label!r} is {part} and has no {split} clip; add one, or leave the "
                        "class out"
                    )
    elif len(without) < len(dataset.files):
        raise DataError(
            f"{dataset.name}: {without[0]!r} is one of {len(without)} clips without a split, and others have one; give "
            "every clip a split, or none"
        )


def _made(
    run: Run,
    dataset: Dataset,
    about: Facts,
    out: Path,
    shards: tuple[Shard, ...],
    strict: bool,
    assembled: Callable[[Workbench], FeatureBank],
    texts: Texts | None = None,
) -> FeatureBank:
    if out.exists():
        raise BankError(f"{out}: exists already; name another folder, or remove it first")
    refuse_scale(about)
    for fault in faults(dataset):
        raise DataError(fault)
    with locked(out, identity(shards, about, dataset.window)) as folder:
        bench = Workbench(folder, shards, dataset.window)
        finish_all(run, bench, texts, strict=strict)
        bank = assembled(bench)
    remove_leftovers(out)
    return bank


def finish_all(run: Run, bench: Workbench, texts: Texts | None, *, strict: bool) -> None:
    """Finish the shards of a workbench, with a bar.

    Args:
        run: function that embeds the shards.
        bench: the workbench.
        texts: texts of the bank, which name the owner of a sentence; None: there is none.
        strict: whether to stop at a clip that cannot be decoded.

    Raises:
        DataError: a clip cannot be decoded and ``strict`` is set.
        BackboneError: a sentence cannot be embedded.
    """
    there, todo = bench.done, bench.todo
    if there:
        print(f"{bench.folder}: {len(there)} of {len(bench.shards)} shards are there already", flush=True)
    if strict:
        _refuse_gaps(bench)
    clips, left = (sum(shard.clips for shard in each) for each in (bench.shards, todo))
    with Bar(total=clips, initial=clips - left, desc="embedding clips", unit="clip") as bar:
        # Sentences come first, so that one that cannot be embedded is refused before any clip is embedded.
        for part in ([each for each in todo if each.sentences], [each for each in todo if each.clips]):
            for shard in _named(run(bench.only(part)), texts):
                bar.update(shard.clips)
                if strict:
                    _refuse_gaps(bench.only([shard]))


def remove_leftovers(out: Path) -> None:
    """Remove what extractions into a bank left beside it: this one, and others that were stopped."""
    named = re.compile(rf"\.{re.escape(out.name)}-(plan-)?\w{{8}}")  # and not what begins like another bank's name
    for leftover in out.absolute().parent.iterdir():
        if named.fullmatch(leftover.name):
            shutil.rmtree(leftover, ignore_errors=True)


def refuse_scale(about: Facts) -> None:
    """Refuse, before the first clip is embedded, a backbone for which no bank can be written.

    Raises:
        BackboneError: the logit scale is out of range.
    """
    if reads_text(about) and (fault := logit_scale_fault(about.logit_scale)):
        raise BackboneError(f"{about.name}: its logit scale is {fault}; choose other weights")


def _named(shards: Iterable[Shard], texts: Texts | None) -> Iterator[Shard]:
    """Yield the shards. If a sentence cannot be embedded, the error names its clip or class."""
    try:
        yield from shards
    except SentenceError as error:
        if texts is None:
            raise
        raise BackboneError(f"{texts.owner(error.sentence)}: {error}") from None


def _refuse_gaps(bench: Workbench) -> None:
    for reason in bench.left_out().values():
        raise DataError(f"`strict`: {reason}")


@contextmanager
def locked(out: Path, name: str) -> Iterator[Path]:
    """Lock the folder of an extraction, which is beside the bank and remains for a resumed one.

    Args:
        out: folder of the bank.
        name: hex digits that depend on everything that determines the folder's content.

    Raises:
        BankError: another extraction has it.
    """
    folder = out.absolute().with_name(f".{out.name}-{name}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield folder
    except Timeout:
        raise BankError(
            f"{out}: another extraction into it is under way; wait for it, or name another folder"
        ) from None
