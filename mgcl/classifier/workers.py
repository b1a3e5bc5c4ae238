"""Threads that recognise side by side.

Decoding and the backbone's arithmetic, which are nearly all of the work, run outside Python's lock, and the model is in
memory once.
"""

from collections.abc import Callable, Iterable, Iterator
from multiprocessing.pool import ThreadPool
from typing import TypeVar

import torch
from joblib import cpu_count

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(
    job: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int, in_order: bool = True
) -> Iterator[_Result]:
    """Do a job for every item, in threads that share the cores; one worker is the calling thread.

    Args:
        job: function of one item.
        items: the items.
        workers: number of threads, at least 1.
        in_order: whether results come in the order of the items, else in the order in which they are finished.
    """
    if workers == 1:
        yield from map(job, items)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, cpu_count() // workers))
    try:
        with ThreadPool(workers) as pool:  # leaving the pool drops what has not begun, so that Ctrl-C works
            yield from (pool.imap if in_order else pool.imap_unordered)(job, items)
    finally:
        torch.set_num_threads(threads)
