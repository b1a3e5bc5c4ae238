"""An html page of the windows that were found, with players. It is self-contained and fetches nothing."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

from mgcl.classifier.index.header import Header
from mgcl.classifier.index.search import Hit
from mgcl.classifier.stretches import samples_of
from mgcl.classifier.wav import as_wav
from mgcl.errors import DataError
from mgcl.reporting.page import templates


def html(hits: Sequence[Hit], header: Header, asked: str) -> tuple[str, list[DataError]]:
    """Render the page.

    Args:
        hits: what was found.
        header: header of the index.
        asked: what was looked for, in words.

    Returns:
        The page, and the errors of windows that cannot be decoded now and have no player.
    """
    faults: list[DataError] = []
    about = f"{len(hits)} windows of {header.window:g} s, found with the backbone {header.backbone}."
    page = _TEMPLATES.get_template("found.html").render(
        name=f"Windows that are {asked}", about=about, hits=list(_with_sounds(hits, header, faults))
    )
    return page, faults


def _with_sounds(hits: Sequence[Hit], header: Header, faults: list[DataError]) -> Iterator[tuple[Hit, str | None]]:
    for hit in hits:
        try:
            path = Path(hit.recording)
            samples = samples_of(path, header.sample_rate, header.channels, start=hit.start, end=hit.end)
            yield hit, base64.b64encode(as_wav(samples, header.sample_rate)).decode()
        except DataError as error:
            faults.append(error)
            yield hit, None


_TEMPLATES = templates("mgcl.classifier.index")
