"""Sinkhorn's iteration for many small problems as a compiled kernel on one CPU core, in float32.

``sinkhorn.solve`` takes it if ``MGCL_TRANSPORT`` is ``compiled``. The iteration, its rounds and its check are those of
``sinkhorn``; sums run in another order, so that plans differ in their last bits. A problem whose error is within
rounding of the tolerance may run a round more or less. The first use on a machine compiles, which takes seconds; numba
keeps the code beside this file, or in the user's cache.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

# Problems that are solved side by side: a problem is a lane of the processor's vectors, and its arithmetic does not
# depend on its neighbours. The loops over lanes are long, because each of them checks first that its arrays are apart.
_LANES = 64
_ONE = np.float32(1)
# exp(x) = 2^k exp(y), with y = x - k log 2 in two parts, and a polynomial in y (Cephes, expf; relative error 1e-7).
_LOG2_E, _LOG2_HIGH, _LOG2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
_P0, _P1, _P2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P3, _P4, _P5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_ROUNDER = np.float32(1.5 * 2**23)  # added and subtracted again, it rounds to whole numbers
_LEAST = np.float32(-87.3)  # exp of less is not a normal number
_INFINITY = np.float32(np.inf)

Floats = NDArray[np.float32]
_options: Any = {"cache": True, "error_model": "numpy", "fastmath": {"contract"}}


@numba.njit(
    "void(f4[:,:,:], f4[:,:], f4[:,:], i8[:], f4[:,:], b1, i8, f4, f4, f4[:,:,:], f4[:])",
    **_options,
)
def run_round(  # noqa: C901  the steps share their arrays
    cost: Floats,
    p: Floats,
    q: Floats,
    going: NDArray[np.int64],
    potentials: Floats,
    first: bool,
    steps: int,
    epsilon: np.float32,
    tolerance: np.float32,
    plan: Floats,
    error: Floats,
) -> None:
    """Run some iterations of some problems; write their plans and errors, and the potentials of those that go on.

    Args:
        cost: C, shape (n, m, b).
        p: row marginals, shape (n, b).
        q: column marginals, shape (m, b).
        going: indices of the problems to run.
        potentials: f and g, shape (n + m, b); read unless it is the first round.
        first: whether it is: f and g then are the row minima, and the column minima of the rest.
        steps: number of iterations, at least 1.
        epsilon: temperature.
        tolerance: largest error of a problem that has converged.
        plan: written; shape (n, m, b).
        error: written; max_i |(T 1)_i - p_i| / p_i, shape (b,).
    """
    n, m, _ = cost.shape
    inverse = _ONE / epsilon
    kernel, exponent = np.empty((n * m, _LANES), np.float32), np.empty((n * m, _LANES), np.int32)
    power = exponent.view(np.float32)
    f, u, row, row_sum = (
        np.empty((n, _LANES), np.float32),
        np.empty((n, _LANES), np.float32),
        np.empty((n, _LANES), np.float32),
        np.empty((n, _LANES), np.float32),
    )
    g, v, column, column_sum = (
        np.empty((m, _LANES), np.float32),
        np.empty((m, _LANES), np.float32),
        np.empty((m, _LANES), np.float32),
        np.empty((m, _LANES), np.float32),
    )
    worst = np.empty(_LANES, np.float32)
    for start in range(0, len(going), _LANES):
        for w in range(_LANES):
            b = going[min(start + w, len(going) - 1)]  # lanes without a problem repeat the last one
            for i in range(n):
                row[i, w] = p[i, b]
                f[i, w] = _INFINITY if first else potentials[i, b]
                for j in range(m):
                    kernel[i * m + j, w] = cost[i, j, b]
            for j in range(m):
                column[j, w] = q[j, b]
                g[j, w] = _INFINITY if first else potentials[n + j, b]
        if first:
            for i in range(n):
                for j in range(m):
                    for w in range(_LANES):
                        each = kernel[i * m + j, w]
                        f[i, w] = each if each < f[i, w] else f[i, w]
                for j in range(m):
                    for w in range(_LANES):
                        each = kernel[i * m + j, w] - f[i, w]
                        g[j, w] = each if each < g[j, w] else g[j, w]
        for i in range(n):
            for j in range(m):
                k = i * m + j
                for w in range(_LANES):
                    x = ((f[i, w] - kernel[k, w]) + g[j, w]) * inverse
                    x = _LEAST if x < _LEAST else x  # a NaN stays one
                    whole = (x * _LOG2_E + _ROUNDER) - _ROUNDER
                    y = (x - whole * _LOG2_HIGH) - whole * _LOG2_LOW
                    z = ((((_P0 * y + _P1) * y + _P2) * y + _P3) * y + _P4) * y + _P5
                    kernel[k, w] = z * y * y + y + _ONE
                    exponent[k, w] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        for k in range(n * m):
            for w in range(_LANES):
                kernel[k, w] *= power[k, w]
        v[:] = 1
        for _ in range(steps):
            column_sum[:] = 0
            for i in range(n):  # both halves of an iteration while the row is in the cache
                row_sum[i] = 0
                for j in range(m):
                    for w in range(_LANES):
                        row_sum[i, w] += kernel[i * m + j, w] * v[j, w]
                for w in range(_LANES):
                    u[i, w] = row[i, w] / row_sum[i, w]
                for j in range(m):
                    for w in range(_LANES):
                        column_sum[j, w] += kernel[i * m + j, w] * u[i, w]
            for j in range(m):
                for w in range(_LANES):
                    v[j, w] = column[j, w] / column_sum[j, w]
        row_sum[:] = 0
        for i in range(n):
            for j in range(m):
                for w in range(_LANES):
                    row_sum[i, w] += kernel[i * m + j, w] * v[j, w]
        worst[:] = 0
        for i in range(n):
            for w in range(_LANES):
                each = abs(u[i, w] * row_sum[i, w] / row[i, w] - _ONE)
                worst[w] = worst[w] if each <= worst[w] else each  # a NaN is the worst
        for w in range(min(_LANES, len(going) - start)):
            b = going[start + w]
            error[b] = worst[w]
            for i in range(n):
                for j in range(m):
                    plan[i, j, b] = kernel[i * m + j, w] * v[j, w] * u[i, w]
            if worst[w] > tolerance:
                for i in range(n):
                    potentials[i, b] = f[i, w] + epsilon * np.float32(math.log(u[i, w]))
                for j in range(m):
                    potentials[n + j, b] = g[j, w] + epsilon * np.float32(math.log(v[j, w]))
