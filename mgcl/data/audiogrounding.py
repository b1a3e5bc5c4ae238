"""AudioGrounding 2's test queries (Xu et al. 2021, Zenodo record 7269161): where the phrase of a caption sounds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mgcl.data._annotations import event
from mgcl.data.dataset import AudioFile, Dataset, Window, complete
from mgcl.errors import DataError

LICENCE = "see zenodo.org/records/7269161 (the phrases; the videos are their owners')"
_LAYOUT = (
    "put the test labels of zenodo.org/records/7269161 there under this name, and its test clips into audio/ beside "
    "them"
)


def read(root: Path) -> Dataset:
    """List one clip per query: a phrase of a caption, whose events are where it sounds; its class is the phrase.

    Several queries share the audio of one caption, which is their source. A phrase that
    sounds nowhere (no segment, or the segment 0 to 0) is no query.

    Raises:
        DataError: test.json is missing or wrong, or a segment ends before it begins.
        MissingFilesError: the audio of a query is missing.
    """
    file = root / "test.json"
    queries: dict[str, AudioFile] = {}
    for where, query in _queries(file, root / "audio"):
        if query.clip_id in queries:
            raise DataError(f"{where}: query {query.clip_id} is listed already above; remove one of the two")
        queries[query.clip_id] = query
    if not queries:
        raise DataError(f"{file}: no phrase has a segment; {_LAYOUT}")
    return Dataset(
        "audiogrounding",
        "2, Zenodo 7269161, test",
        "not stated",
        complete(queries.values(), table=file.name),
        window=Window(10.0, short="repeat", long="first"),
        prompt="{}",
    )


def _queries(file: Path, folder: Path) -> Iterator[tuple[str, AudioFile]]:
    """Yield the queries that sound somewhere, each after its file and item in words."""
    for number, item in enumerate(_items(file), start=1):
        where = f"{file}, item {number}"
        try:
            clip, audio = str(item["audiocap_id"]), str(item["audio_id"])
            phrases = [
                (str(each["phrase"]).strip(), int(each["start_index"]), [[*times] for times in each["segments"]])
                for each in item["phrases"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{where}: not an item of AudioGrounding 2 ({error!r}); {_LAYOUT}") from None
        for phrase, place, segments in phrases:
            events = tuple(
                sorted(event(*_times(each, where), phrase, where=where) for each in segments if each != [0, 0])
            )
            if events:
                query = f"{clip}_{place}"
                yield where, AudioFile(query, folder / audio, phrase, source=audio, split="test", events=events)


def _times(segment: Sequence[Any], where: str) -> tuple[Any, Any]:
    if len(segment) != 2:
        raise DataError(f"{where}: segment {segment!r} is not [onset, offset]; mend it")
    return segment[0], segment[1]


def _items(file: Path) -> Sequence[Mapping[str, Any]]:
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; {_LAYOUT}") from None
    except ValueError as error:
        raise DataError(f"{file}: not a json file ({error}); {_LAYOUT}") from None
    if not isinstance(items, list):
        raise DataError(f"{file}: not a list of items; {_LAYOUT}")
    return items
