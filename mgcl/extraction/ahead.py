"""Decode clips in threads, a few batches ahead of the backbone."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import TypeVar

from mgcl.errors import DataError
from mgcl.extraction.plan import batches

# Batches whose clips are decoded or queued while another batch is embedded.
_AHEAD = 2

_File = TypeVar("_File")
_Decoded = TypeVar("_Decoded")


def decoded_ahead(
    files: Sequence[_File], decode: Callable[[_File], _Decoded], decoders: Executor, *, size: int
) -> Iterator[list[tuple[_File, _Decoded | DataError]]]:
    """Yield batches in order; a clip is what ``decode`` returns, or the DataError that it raises.

    Only ``_AHEAD`` batches are decoded in advance, so that memory stays bounded.

    Args:
        files: clips to decode.
        decode: function that decodes one clip.
        decoders: threads that decode.
        size: number of clips per batch.
    """

    def attempt(file: _File) -> _Decoded | DataError:
        try:
            return decode(file)
        except DataError as error:
            return error

    jobs = ([(file, decoders.submit(attempt, file)) for file in batch] for batch in batches(files, size))
    ahead = deque(islice(jobs, _AHEAD))
    while ahead:
        batch = ahead.popleft()
        decoded = [(file, job.result()) for file, job in batch]
        ahead.extend(islice(jobs, 1))
        yield decoded
