"""Caption a data set: every clip once, even if the run is interrupted and resumed."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mgcl.append_log import append_log
from mgcl.backbones.backbone import WINDOW
from mgcl.captioners.captioner import Captioner, waveforms
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError
from mgcl.progress import Bar


def caption_dataset(
    dataset: Dataset, captioner: Captioner, out: Path, *, name: str, model: str | None = None, batch: int = 8
) -> dict[str, str]:
    """Caption every clip of a data set. An interrupted call is resumed: captions that it wrote are reused.

    Args:
        dataset: data set to caption.
        captioner: captioner that describes the clips.
        out: jsonl file to write: a line on what made it, then one line {"clip_id", "caption"} per clip.
        name: name of the captioner.
        model: weights of the captioner, as its ``load`` takes them.
        batch: number of clips that are described together.

    Returns:
        The captions by clip id. Clips that cannot be decoded have none; a bank leaves them out too.

    Raises:
        DataError: the file was made from another data set, or by another captioner or model; or clips can be decoded
            but not captioned. Names the first such clip; all other clips are captioned first.
    """
    header: dict[str, Any] = {"dataset": dataset.name, "captioner": name, "model": model}
    if dataset.window:
        header["window"] = asdict(dataset.window)
    given = tuple(replace(file, window=dataset.window) for file in dataset.files)
    wrong: list[DataError] = []
    with append_log(out) as written:
        if not written.records:
            written.append([header])
        _refuse_another(out, header, written.records[0])
        captions = {record["clip_id"]: record["caption"] for record in written.records[1:]}
        todo = [file for file in given if file.clip_id not in captions]
        total = len(given)
        with Bar(total=total, initial=total - len(todo), desc="captioning clips", unit="clip") as bar:
            # Batches are cut from all clips, not from the remaining ones, so that a resumed run has the same batches
            # as an uninterrupted one.
            for start in range(0, total, batch):
                files = given[start : start + batch]
                missing = {file.clip_id for file in files} - captions.keys()
                if not missing:
                    continue
                made = {clip: caption for clip, caption in _caption(captioner, files, wrong).items() if clip in missing}
                written.append({"clip_id": clip, "caption": caption} for clip, caption in made.items())
                captions |= made
                bar.update(len(missing))
    if wrong:
        raise DataError(f"{wrong[0]} ({len(wrong)} of {total} clips have no caption; the others are in {out})")
    return {file.clip_id: captions[file.clip_id] for file in dataset.files if file.clip_id in captions}


def _caption(captioner: Captioner, files: Sequence[AudioFile], wrong: list[DataError]) -> dict[str, str]:
    """Caption a batch; if that fails, caption its clips one by one. Errors of decodable clips are added to ``wrong``.

    Clips that failed are missing from the result.
    """
    try:
        return dict(zip((file.clip_id for file in files), captioner.caption(files), strict=True))
    except DataError as error:
        if len(files) == 1:
            if _can_be_decoded(files[0]):
                wrong.append(error)
            return {}
        each = [_caption(captioner, [file], wrong) for file in files]
        return {clip: caption for one in each for clip, caption in one.items()}


def _can_be_decoded(file: AudioFile) -> bool:
    try:
        waveforms([file], sample_rate=16000, seconds=WINDOW)
    except DataError:
        return False
    return True


def _refuse_another(out: Path, header: dict[str, Any], found: dict[str, Any]) -> None:
    if found != header:
        made, asked = (", ".join(f"{name} {value}" for name, value in each.items()) for each in (found, header))
        raise DataError(f"{out}: holds captions of {made}; these are of {asked}: name another file")
