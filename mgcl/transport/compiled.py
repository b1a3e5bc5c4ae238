"""Sinkhorn's iteration for many small problems of float32 on a CPU, compiled by numba: the steps of ``sinkhorn.solve``.

64 problems are solved together, each in its own lane of the processor's vectors. Their kernels stay in the processor's
cache for all iterations of a round, so that memory is read once per round, and only what is asked for is written.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

_LANES = 64
_OPTIONS: Mapping[str, Any] = {
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},  # sums may be reordered; NaN and infinity keep their meaning
    "error_model": "numpy",
    "nogil": True,
}
_part: Callable[[Callable[..., Any]], Callable[..., Any]] = njit(**_OPTIONS)
_typed: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic


def _cached(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function at once, which takes seconds, and keep the result on disk for later processes."""

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(signature, **_OPTIONS, cache=True)(function)
        except RuntimeError:  # no cache can be written
            return njit(signature, **_OPTIONS)(function)

    return compiled


# exp(x) is computed for x >= -87, where float32 ends: smaller numbers of a kernel count as 2e-38.
_LEAST = np.float32(-87.0)
_LOG2_E, _LN_2_HIGH, _LN_2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
# Taylor's 1/2!, ..., 1/7!: within |x| <= ln(2) / 2 the rest is below 1e-8.
_C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(1 / each) for each in (2, 6, 24, 120, 720, 5040))
_HALF, _ONE, _BIAS, _MANTISSA = np.float32(0.5), np.float32(1), np.int32(127), np.int32(23)


class Solved(NamedTuple):
    """Results of b problems. Similarity and entropy have shape (0,) beside plans, and plans (n, m, 0) beside these."""

    similarity: NDArray[np.float32]
    """<T, 1 - C>, shape (b,)."""
    entropy: NDArray[np.float32]
    """h(T) in nats, shape (b,)."""
    error: NDArray[np.float32]
    """Relative error of the row marginal, shape (b,)."""
    iterations: NDArray[np.int64]
    plan: NDArray[np.float32]
    """T, shape (n, m, b)."""


def solve(
    cost: NDArray[np.float32],
    p: NDArray[np.float32],
    q: NDArray[np.float32],
    *,
    epsilon: float,
    max_iterations: int,
    tolerance: float,
    steps: int,
    plans: bool,
) -> Solved:
    """Solve problems like ``sinkhorn.solve``: cost (n, m, b) with any strides, and marginals p (n, b), q (m, b).

    The error is checked every ``steps`` iterations. With ``plans`` they are returned, else similarities and entropies.
    """
    n, m, count = cost.shape
    similarities, entropies = np.empty((2, count * (not plans)), np.float32)
    plan, error = np.empty((n, m, count * plans), np.float32), np.empty(count, np.float32)
    found = Solved(similarities, entropies, error, np.empty(count, np.int64), plan)
    potentials = np.empty((n, 1, count), np.float32), np.empty((m, 1, count), np.float32)
    going, spent = np.arange(count), 0
    while len(going) and spent < max_iterations:
        limit = min(steps, max_iterations - spent)
        settings = np.float32(epsilon), np.float32(tolerance), limit, spent == 0
        outputs = found.similarity, found.entropy, found.error, found.plan
        _round(cost, p[:, None], q[:, None], *potentials, going, *settings, *outputs)
        spent += limit
        found.iterations[going] = spent
        going = going[found.error[going] > tolerance]
    return found


@_typed
def _weighted_sum(_context: Any, out: Any, o: Any, x: Any, first: Any, step: Any, weights: Any, count: Any) -> Any:
    """Compile out[o:][:64] = sum_k x[first + k step:][:64] * weights[64 k:][:64], of flat arrays, for k < count.

    In a loop numba would store each sum after every product, because it cannot know that the arrays do not overlap.
    """
    signature = types.void(out, o, x, first, step, weights, count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), _LANES)

        def lanes(index: int, offset: Any) -> Any:
            data = context.make_array(signature.args[index])(context, builder, arguments[index]).data
            return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())

        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * _LANES))  # type: ignore[no-untyped-call]
        with cgutils.for_range(builder, arguments[6]) as loop:
            at = builder.add(arguments[3], builder.mul(loop.index, arguments[4]))
            weight = builder.mul(loop.index, ir.Constant(loop.index.type, _LANES))
            factors = (builder.load(lanes(index, offset), align=4) for index, offset in ((2, at), (5, weight)))
            product = builder.fmul(*factors, flags=("contract",))
            builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
        builder.store(builder.load(total), lanes(0, arguments[1]), align=4)
        return context.get_dummy_value()

    return signature, generate


@_part
def _exp(x: NDArray[np.float32], exponents: NDArray[np.int32], powers: NDArray[np.float32]) -> None:
    """Replace x, at most 0, by exp(x), to 2e-7 relative; ``powers`` are the same bytes as ``exponents``."""
    for k in range(len(x)):
        y = _LEAST if x[k] < _LEAST else x[k]
        exponent = np.floor(y * _LOG2_E + _HALF)
        y = (y - exponent * _LN_2_HIGH) - exponent * _LN_2_LOW
        series = ((((_C7 * y + _C6) * y + _C5) * y + _C4) * y + _C3) * y + _C2
        x[k] = series * y * y + y + _ONE
        exponents[k] = (np.int32(exponent) + _BIAS) << _MANTISSA
    for k in range(len(x)):
        x[k] *= powers[k]


@_part
def _zeros(count: Any) -> Any:
    return np.zeros((count, _LANES), np.float32)


@_part
def _move(source: Any, places: Any, target: Any, others: Any) -> None:
    """Copy problems at some places of one array to places of another; adjacent ones by vectors."""
    n, m, count = source.shape[0], source.shape[1], len(places)
    if places[-1] - places[0] == others[-1] - others[0] == count - 1:
        for i in range(n):
            for j in range(m):
                some, they = source[i, j, places[0] :], target[i, j, others[0] :]
                for k in range(count):
                    they[k] = some[k]
        return
    for i in range(n):
        for j in range(m):
            for k in range(count):
                target[i, j, others[k]] = source[i, j, places[k]]


@_part
def _minima(c: Any, f: Any, g: Any) -> None:
    """Set f to the row minima of c, and g to the column minima of the rest."""
    f[:], g[:] = np.inf, np.inf
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            for lane in range(_LANES):
                f[i, lane] = min(f[i, lane], c[i, j, lane])
        for j in range(c.shape[1]):
            for lane in range(_LANES):
                g[j, lane] = min(g[j, lane], c[i, j, lane] - f[i, lane])


@_part
def _fill(kernel: Any, c: Any, f: Any, g: Any, epsilon: Any, exponents: Any) -> None:
    """Set the kernel to exp((f + g - c) / epsilon)."""
    n, m, _ = c.shape
    for i in range(n):
        for j in range(m):
            for lane in range(_LANES):
                kernel[i, j, lane] = (f[i, lane] + g[j, lane] - c[i, j, lane]) / epsilon
        _exp(kernel[i].reshape(-1), exponents, exponents.view(np.float32))


@_part
def _divide(x: Any, y: Any, quotients: Any) -> None:
    for k in range(len(x)):
        for lane in range(_LANES):
            quotients[k, lane] = x[k, lane] / y[k, lane]


@_part
def _sum_rows(kernel: Any, v: Any, rows: Any) -> None:
    n, m, _ = kernel.shape
    for i in range(n):
        _weighted_sum(rows.reshape(-1), i * _LANES, kernel.reshape(-1), i * m * _LANES, _LANES, v.reshape(-1), m)


@_part
def _iterate(kernel: Any, p: Any, q: Any, steps: Any, u: Any, v: Any, rows: Any, columns: Any) -> None:
    """Scale the kernel by turns; ``rows`` are the row sums of kernel and v in the end."""
    n, m, _ = kernel.shape
    v[:] = 1
    _sum_rows(kernel, v, rows)
    for _ in range(steps):
        _divide(p, rows, u)
        for j in range(m):
            _weighted_sum(columns.reshape(-1), j * _LANES, kernel.reshape(-1), j * _LANES, m * _LANES, u.reshape(-1), n)
        _divide(q, columns, v)
        _sum_rows(kernel, v, rows)


@_part
def _compare(u: Any, rows: Any, p: Any, error: Any) -> None:
    """Multiply row sums by u, and set the largest relative error of these row marginals; NaN if one of them is NaN."""
    error[:] = 0
    for i in range(len(rows)):
        for lane in range(_LANES):
            rows[i, lane] *= u[i, lane]
            error[lane] = np.maximum(error[lane], abs(rows[i, lane] / p[i, lane] - _ONE))


@_part
def _raise(potentials: Any, scalings: Any, epsilon: Any) -> None:
    """Put scalings into the potentials."""
    for k in range(len(potentials)):
        for lane in range(_LANES):
            potentials[k, lane] += epsilon * np.log(scalings[k, lane])


@_part
def _scale(kernel: Any, u: Any, v: Any) -> None:
    """Make the kernel the plan."""
    for i in range(len(u)):
        for j in range(len(v)):
            for lane in range(_LANES):
                kernel[i, j, lane] *= u[i, lane] * v[j, lane]


@_part
def _match(plan: Any, c: Any, sums: Any) -> None:
    for i in range(c.shape[0]):
        for j in range(c.shape[1]):
            for lane in range(_LANES):
                sums[lane] += plan[i, j, lane] * (_ONE - c[i, j, lane])


@_part
def _inner(x: Any, y: Any, sums: Any) -> None:
    """Add the inner products of vectors, shape (k, 64), to ``sums``."""
    for k in range(len(x)):
        for lane in range(_LANES):
            sums[lane] += x[k, lane] * y[k, lane]


@_cached(
    "void(float32[:,:,:], float32[:,:,:], float32[:,:,:], float32[:,:,::1], float32[:,:,::1], int64[::1], float32, "
    "float32, int64, boolean, float32[::1], float32[::1], float32[::1], float32[:,:,::1])"
)
def _round(
    cost: Any, p: Any, q: Any, row_potentials: Any, column_potentials: Any, going: Any, epsilon: Any, tolerance: Any,
    steps: Any, first: Any, similarities: Any, entropies: Any, errors: Any, plans: Any,
) -> None:  # fmt: skip
    """Run ``steps`` iterations of the problems ``going``, from their potentials unless it is the ``first`` round."""
    n, m, _ = cost.shape
    c, kernel = np.zeros((n, m, _LANES), np.float32), np.empty((n, m, _LANES), np.float32)
    f, u, rows, row_masses = _zeros(n), _zeros(n), _zeros(n), _zeros(n)
    g, v, columns, column_masses = _zeros(m), _zeros(m), _zeros(m), _zeros(m)
    error, exponents = np.empty(_LANES, np.float32), np.empty(m * _LANES, np.int32)
    for start in range(0, len(going), _LANES):
        problems = going[start : start + _LANES]
        lanes = np.arange(len(problems))
        _move(cost, problems, c, lanes)
        _move(p, problems, row_masses.reshape(n, 1, _LANES), lanes)
        _move(q, problems, column_masses.reshape(m, 1, _LANES), lanes)
        if first:
            _minima(c, f, g)
        else:
            _move(row_potentials, problems, f.reshape(n, 1, _LANES), lanes)
            _move(column_potentials, problems, g.reshape(m, 1, _LANES), lanes)
        _fill(kernel, c, f, g, epsilon, exponents)
        _iterate(kernel, row_masses, column_masses, steps, u, v, rows, columns)
        _compare(u, rows, row_masses, error)
        if len(similarities) or (error > tolerance).any():
            _raise(f, u, epsilon)
            _raise(g, v, epsilon)
            _move(f.reshape(n, 1, _LANES), lanes, row_potentials, problems)
            _move(g.reshape(m, 1, _LANES), lanes, column_potentials, problems)
        _scale(kernel, u, v)
        if plans.shape[-1]:
            _move(kernel, lanes, plans, problems)
        if len(similarities):
            matched, marginal = _zeros(1)[0], _zeros(1)[0]
            _match(kernel, c, matched)
            # log T = (f + g - C) / epsilon: the entropy needs no logarithm of each number of T.
            _inner(f, rows, marginal)
            _inner(g, column_masses, marginal)
            for lane, problem in enumerate(problems):
                similarities[problem] = matched[lane]
                entropies[problem] = (_ONE - matched[lane] - marginal[lane]) / epsilon
        for lane, problem in enumerate(problems):
            errors[problem] = error[lane]
