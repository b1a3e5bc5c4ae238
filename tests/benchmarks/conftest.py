"""What the benchmarks share: devices, and the clock that waits for them."""

from collections.abc import Callable

import pytest
import torch

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture
def timed(benchmark) -> Callable[..., object]:
    """Five rounds after a warm-up; ``scale``: the work stands for so many times itself; further facts are kept."""

    def run(group: str, name: str, job: Callable[[], object], *, scale: float = 1, **facts: str) -> None:
        def finished() -> None:
            job()
            if torch.cuda.is_available():
                torch.cuda.synchronize()

        benchmark.group, benchmark.name = group, name
        benchmark.extra_info.update(scale=scale, facts=facts)
        benchmark.pedantic(finished, rounds=5, warmup_rounds=1)

    return run


@pytest.fixture(params=DEVICES)
def device(request) -> str:
    return str(request.param)
