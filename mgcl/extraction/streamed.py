"""Extract the bank of a streamed data set: its shards are the bank, and nothing is rewritten at the end.

The data set is listed into a plan on the disk (``streamed_plan``). Each stretch of the plan is embedded into a shard of
the bank (``streamed_workbench``), in this process or by actors. The shards are sealed (``mgcl.features.writer.seal``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from mgcl.backbones.backbone import Facts, facts_json, reads_text
from mgcl.data._faults import faults
from mgcl.data.dataset import Dataset
from mgcl.errors import BankError, DataError
from mgcl.extraction.assembly import classes_of, header_of
from mgcl.extraction.extract import Run, finish_all, locked, refuse_scale, remove_leftovers
from mgcl.extraction.plan import BATCH, VERSION, Shard, plan_sentences
from mgcl.extraction.streamed_plan import Plan
from mgcl.extraction.streamed_workbench import BANK, StreamedWorkbench, shards_of
from mgcl.extraction.texts import Texts
from mgcl.extraction.windows import facts_in
from mgcl.features import FeatureBank
from mgcl.features.writer import seal
from mgcl.language.explanations import ClassText
from mgcl.records import digest

_CAPTION = "caption"


def texts_of(plan: Plan, dataset: Dataset, about: Facts, classes: Mapping[str, ClassText] | None) -> Texts:
    """Choose the sentences on a plan's classes, and candidate captions if its clips have none; see ``Texts.of``."""
    texts = Texts.of(plan.described(dataset), about, classes=classes)
    return replace(texts, choices=()) if _CAPTION in plan.stated else texts


def extract_streamed_by(
    run: Run,
    plan: Plan,
    dataset: Dataset,
    about: Facts,
    out: Path,
    texts: Texts,
    *,
    channels: str = "average",
    strict: bool = False,
    half: bool = False,
) -> FeatureBank:
    """Embed every clip and sentence, and make the bank. Shards that an interrupted call finished are reused.

    Args:
        run: function that embeds the shards.
        plan: plan of the data set.
        dataset: name, revision and protocol of the data set; its files are not looked at.
        about: facts about the backbone.
        out: folder of the bank; must not exist.
        texts: sentences on the classes, and candidate captions.
        channels: how several channels are made into one.
        strict: whether to stop at a clip that cannot be decoded; else it is left out, and the bank lists it.
        half: whether segments are stored in float16. Other numbers of the bank stay float32.

    Raises:
        BankError: the folder exists, or another extraction into it is running.
        DataError: a clip cannot be decoded and ``strict`` is set; no clip can be decoded; or the protocol is wrong.
        MgclError: a server of clips does not answer.
        BackboneError: a sentence on a class cannot be embedded, a segment's number is too large for float16, or the
            logit scale is out of range.
    """
    if out.exists():
        raise BankError(f"{out}: exists already; name another folder, or remove it first")
    refuse_scale(about)
    for fault in faults(dataset):
        raise DataError(fault)
    header = header_of(dataset, facts_in(about, dataset.window))
    clips, choices = shards_of(plan.clips, header, half=half), _text_shards(texts.choices)
    sentences = _text_shards(replace(texts, choices=()).sentences)
    protocol = [asdict(dataset.window)] if dataset.window else []
    made_of = [VERSION, BATCH, plan.identity, facts_json(about), protocol, channels, half, len(clips), header.to_json()]
    with locked(out, digest(made_of)[:8]) as folder:
        (folder / BANK).mkdir(exist_ok=True)
        bench = StreamedWorkbench(
            folder,
            (*choices, *sentences, *clips),
            dataset.window,
            plan=plan,
            header=header,
            channels=channels,
            captioned=reads_text(about) and _CAPTION in plan.stated,
            choices=choices,
            half=half,
        )
        finish_all(run, bench, texts, strict=strict)
        bank = _sealed(bench, len(clips), about, texts, out)
    remove_leftovers(out)
    return bank


def _text_shards(sentences: Iterable[str]) -> tuple[Shard, ...]:
    """Shards of sentences whose names depend on the sentences, so that other ones leave the shards of clips valid."""
    shards = plan_sentences(sentences)
    return tuple(replace(shard, name=f"{shard.name}-{digest(shard.sentences)[:16]}") for shard in shards)


def _sealed(bench: StreamedWorkbench, shards: int, about: Facts, texts: Texts, out: Path) -> FeatureBank:
    """Make a bank of the finished shards.

    Raises:
        DataError: no clip could be decoded.
    """
    left_out = bench.left_out()
    if len(left_out) == bench.plan.clips:
        raise DataError(
            f"{bench.header.dataset}: no clip can be decoded, the first because of {next(iter(left_out.values()))}"
        )
    return seal(
        bench.folder / BANK,
        out,
        bench.header,
        classes_of(bench.classes(), texts, bench.sentences()),
        shards=shards,
        extraction={"weights": about.fingerprint, "left_out": left_out},
    )
