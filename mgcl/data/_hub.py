"""Data sets of the Hugging Face hub that are parquet files: ``hub:OWNER/NAME@REVISION[:CONFIG]``.

The columns are found by the types that the files' schema records (its key "huggingface"): the audio, its class
(ClassLabel), its classes (a list of ClassLabel) or its captions. The audio is written out once, file by file, so that
an interrupted download is resumed; later calls need no network.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import dataset_info, hf_hub_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # whichever of httpx's versions it uses

from mgcl.data._parquet import Row, rows
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError
from mgcl.files import replacing
from mgcl.home import home

PREFIX = "hub:"
_ERRORS = (OSError, httpx.HTTPError, HFValidationError)
_SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "dev": "validation", "test": "test"}
_CLIPS, _ABOUT = "clips", "about.json"


@dataclass(frozen=True)
class HubDataset:
    """A data set of the hub at one commit; a ``DatasetModule``."""

    repository: str
    """OWNER/NAME."""
    commit: str
    """40 hex digits."""
    config: str
    """Part of the data set; empty: it has only one."""

    @classmethod
    def named(cls, name: str) -> "HubDataset":
        """Parse ``hub:OWNER/NAME@REVISION[:CONFIG]``.

        Raises:
            DataError: the name has another form, or the revision is not a commit.
        """
        found = re.fullmatch(r"hub:([\w.-]+/[\w.-]+?)(?:@([\w./-]*))?(?::([^:@]+))?", name)
        if found is None:
            raise DataError(f"{name}: a data set of the hub is hub:OWNER/NAME@COMMIT, or hub:OWNER/NAME@COMMIT:CONFIG")
        repository, commit, config = found[1], found[2] or "", found[3] or ""
        if re.fullmatch("[0-9a-f]{40}", commit) is None:
            address = f"https://huggingface.co/datasets/{repository}"
            raise DataError(
                f"{name}: name the commit, {PREFIX}{repository}@COMMIT, so that the data stay the same: its 40 hex "
                f"digits are the first word that `git ls-remote {address} HEAD` prints, or on {address}/commits/main"
            )
        return cls(repository, commit, config)

    @property
    def root(self) -> Path:
        """Default folder of the data set."""
        return home() / "data" / self.repository.replace("/", "--") / self.commit / (self.config or "default")

    def read(self, root: Path) -> Dataset:
        """Fetch what is missing in the folder, and list the clips.

        Raises:
            DataError: the hub does not give the data set, it has several parts, or its files have no audio, or no
                classes and no captions.
        """
        about = self._about(root)
        for place, name in enumerate(about["files"]):
            if not _listing(root, place).is_file():
                _write_out(self._fetched(name, root), root, place, split=_split(name))
        clips = [clip for place in range(len(about["files"])) for clip in _clips(root, place)]
        title = self.repository.rpartition("/")[2].lower()
        return Dataset(
            f"{title}-{self.config}".lower() if self.config else title,
            f"{self.repository}@{self.commit}",
            about["licence"],
            tuple(_merged(clips, root)),
        )

    def _about(self, root: Path) -> Mapping[str, Any]:
        """Files and licence of the data set, requested from the hub once."""
        file = root / _ABOUT
        if file.is_file():
            about: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if about["commit"] != self.commit or about["repository"] != self.repository:
                raise DataError(f"{root}: holds {about['repository']}@{about['commit']}; name another folder")
            return about
        try:
            info = dataset_info(self.repository, revision=self.commit)
        except _ERRORS as error:
            raise self._refusal(error, root) from None
        licence = getattr(info.card_data, "license", None) or "not stated"
        about = {
            "repository": self.repository,
            "commit": self.commit,
            "licence": licence if isinstance(licence, str) else ", ".join(licence),
            "files": self._chosen([each.rfilename for each in info.siblings or ()]),
        }
        root.mkdir(parents=True, exist_ok=True)
        with replacing(file) as draft:
            draft.write_text(json.dumps(about, indent=1), encoding="utf-8")
        return about

    def _chosen(self, files: Sequence[str]) -> list[str]:
        """Parquet files of the configuration, sorted.

        Raises:
            DataError: there are none, or there are several configurations and none is chosen.
        """
        parts: dict[str, list[str]] = defaultdict(list)
        for name in sorted(files):
            if name.endswith(".parquet"):
                parts[_config(name)].append(name)
        if not parts:
            listed = f"git ls-remote https://huggingface.co/datasets/{self.repository} refs/convert/parquet"
            raise DataError(
                f"{self.repository}: has no parquet files at {self.commit}; the hub's own conversion may have, at the "
                f"commit that `{listed}` prints"
            )
        if self.config not in parts and (self.config or len(parts) > 1):
            named = f"{PREFIX}{self.repository}@{self.commit}"
            raise DataError(
                f"{self.repository}: {f'no part {self.config!r}' if self.config else 'several parts'}; name one of "
                f"{', '.join(f'{named}:{part}' for part in parts)}"
            )
        return parts[self.config] if self.config in parts else next(iter(parts.values()))

    def _fetched(self, name: str, root: Path) -> Path:
        try:
            return Path(hf_hub_download(self.repository, name, repo_type="dataset", revision=self.commit))
        except _ERRORS as error:
            raise self._refusal(error, root) from None

    def _refusal(self, error: Exception, root: Path) -> DataError:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return DataError(
            f"{self.repository}@{self.commit}: the hub does not give it ({reason}); check name and commit, log in with "
            f"`hf auth login` if it is gated, or run the command where there is a network, and copy {root} from there"
        )


def _config(name: str) -> str:
    """Configuration of a parquet file: the folder that holds it, without those that are called data or as a split."""
    folders = [part for part in name.split("/")[:-1] if part != "data" and part not in _SPLITS]
    return "/".join(folders) or "default"


def _split(name: str) -> str | None:
    """Split of a parquet file, by its name or its folder; None: it is none that mgcl knows."""
    words = re.split(r"[-_./]", name.rpartition("/")[2])[0], *name.split("/")[-2:-1]
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)


def _listing(root: Path, place: int) -> Path:
    """File of the clips of one parquet file; it is written last."""
    return root / _CLIPS / f"{place:05}.jsonl"


def _write_out(parquet: Path, root: Path, place: int, *, split: str | None) -> None:
    """Write the audio of a parquet file as files, and then the list of its clips."""
    folder = root / "audio" / f"{place:05}"
    folder.mkdir(parents=True, exist_ok=True)
    _listing(root, place).parent.mkdir(exist_ok=True)
    with replacing(_listing(root, place)) as draft, draft.open("w", encoding="utf-8") as listing:
        for number, row in enumerate(rows(parquet)):
            file = folder / f"{number:06}{row.suffix}"
            file.write_bytes(row.audio)
            listing.write(json.dumps(_record(row, file.relative_to(root), split)) + "\n")


def _record(row: Row, file: Path, split: str | None) -> dict[str, Any]:
    return {
        "clip": f"{file.parent.name}/{file.stem}",
        "file": file.as_posix(),
        "digest": hashlib.sha256(row.audio).hexdigest(),
        "label": row.label,
        "labels": row.labels,
        "captions": row.captions,
        "fold": row.fold,
        "split": split,
    }


def _clips(root: Path, place: int) -> Iterator[tuple[str, AudioFile]]:
    """Yield the audio's digest and the clip of every row of a parquet file."""
    for line in _listing(root, place).read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        yield (
            record["digest"],
            AudioFile(
                record["clip"],
                root / record["file"],
                record["label"],
                fold=record["fold"],
                split=record["split"],
                labels=None if record["labels"] is None else tuple(record["labels"]),
                captions=tuple(record["captions"]),
            ),
        )


def _merged(clips: Sequence[tuple[str, AudioFile]], root: Path) -> Iterator[AudioFile]:
    """Yield the clips; audio with several captions, one per row, is one clip.

    Raises:
        DataError: one audio file without captions is in two rows of a split.
    """
    merged: dict[tuple[str, str | None], AudioFile] = {}
    for digest, clip in clips:
        known = merged.get((digest, clip.split))
        if known is not None and not clip.captions:
            listing = root / _CLIPS / f"{clip.path.parent.name}.jsonl"
            raise DataError(f"{listing}: {clip.clip_id} is the audio of {known.clip_id} again; remove its line")
        merged[digest, clip.split] = clip if known is None else replace(known, captions=known.captions + clip.captions)
    yield from merged.values()
