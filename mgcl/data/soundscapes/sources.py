"""Sources of sound. A source synthesises one event from the course of its pitch; its timbre is partly random."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Numbers = NDArray[np.floating[Any] | np.integer[Any]]
Source = Callable[[Floats, float, np.random.Generator], Floats]
"""Function of the pitch at every sample (Hz), grains per second (for sources of grains) and a generator of random
numbers. It returns the samples of one event."""

SAMPLE_RATE = 16000
_NYQUIST = SAMPLE_RATE / 2


def whistle(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Sine with weak partials at its octave and twelfth, and some breath."""
    tone = _partials(pitch, (1, 2, 3), (1, random.uniform(0, 0.2), random.uniform(0, 0.05)))
    return _sustained(tone + random.uniform(0, 0.12) * _band(pitch, 0.3, random), random)


def buzz(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Tone of all harmonics, whose gains fall off slowly."""
    orders = np.arange(1, 19)
    return _sustained(_partials(pitch, orders, orders ** -random.uniform(0.5, 1.2)), random)


def reed(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Tone of odd harmonics, which sounds hollow."""
    orders = np.arange(1, 14, 2)
    tone = _partials(pitch, orders, orders ** -random.uniform(1.1, 2.0))
    return _sustained(tone + random.uniform(0, 0.1) * _band(pitch, 0.5, random), random)


def voice(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Tone of harmonics under the three formants of a random vowel."""
    orders = np.arange(1, 25)
    formants = np.array([random.uniform(300, 950), random.uniform(1000, 2300), random.uniform(2500, 3300)])
    distance = (orders[:, None] * pitch.mean() - formants) / (90 + 0.09 * formants)
    gains = (np.array([1.0, 0.6, 0.35]) / (1 + distance**2)).sum(1) * orders**-0.3
    breath = random.uniform(0.02, 0.15) * _band(np.full_like(pitch, formants[1]), 0.8, random)
    return _sustained(_partials(_trembling(pitch, 0.01, random), orders, gains) + breath, random)


def growl(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Tone of harmonics whose loudness flutters fast."""
    orders = np.arange(1, 25)
    tone = _partials(_trembling(pitch, 0.05, random), orders, orders ** -random.uniform(0.4, 0.9))
    flutter = 1 + random.uniform(0.5, 1.0) * np.sin(_phase(np.full_like(pitch, random.uniform(22, 48))))
    return _sustained((tone + 0.4 * _band(pitch * 6, 1.0, random)) * flutter, random)


def electronic(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Tone by frequency modulation at an inharmonic ratio."""
    phase = _phase(pitch)
    ratio, depth = random.choice([0.5, 1.41, 2.24, 2.76, 3.5]), random.uniform(1.2, 3.0)
    return _sustained(np.sin(phase + depth * np.sin(ratio * phase)), random)


def bell(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Stroke with inharmonic partials and a long decay."""
    ratios = np.array([0.5, 1, 1.19, 1.5, 2, 2.74, 3.76, 5.1]) * random.uniform(0.98, 1.02, 8)
    return _struck(pitch, ratios, random.uniform(0.3, 1, 8), 4 + 1.2 * ratios, random)


def wood(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Stroke with few partials and a short decay."""
    ratios = np.array([1, 2.6, 4.3]) * random.uniform(0.93, 1.07, 3)
    return _struck(pitch, ratios, np.array([1, 0.5, 0.25]), np.array([14, 24, 34]), random, knock=0.4)


def glass(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Stroke with high, widely spaced partials."""
    ratios = np.array([1, 1.52, 2.32, 3.1]) * random.uniform(0.97, 1.03, 4)
    return _struck(pitch, ratios, random.uniform(0.3, 1, 4), 6 + 2.5 * ratios, random)


def drum(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Stroke with the modes of a drum skin; its pitch drops after the onset."""
    dropping = pitch * (1 + 0.7 * np.exp(-np.arange(len(pitch)) / (0.02 * SAMPLE_RATE)))
    ratios = np.array([1, 1.59, 2.14, 2.65])
    return _struck(dropping, ratios, np.array([1, 0.5, 0.3, 0.2]), 8 + 4 * ratios, random, knock=0.25)


def string(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Harmonics of a string that is plucked at a random point; higher harmonics decay faster."""
    orders = np.arange(1, 15)
    gains = np.abs(np.sin(np.pi * orders * random.uniform(0.12, 0.45))) / orders
    return _struck(pitch, orders, gains, 4 + 1.4 * orders, random, knock=0.05)


def click(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Resonance with noise that decays within milliseconds."""
    decay = np.exp(-np.arange(len(pitch)) / (random.uniform(0.0015, 0.004) * SAMPLE_RATE))
    return decay * (np.sin(_phase(pitch)) + 0.7 * random.standard_normal(len(pitch)))


def hiss(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Bright, broad noise."""
    return _sustained(_band(pitch, random.uniform(0.5, 0.9), random), random)


def rumble(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Deep, broad noise."""
    return _sustained(_band(pitch, random.uniform(0.7, 1.2), random), random)


def wind(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Noise narrow enough to have a pitch."""
    return _sustained(_band(pitch, random.uniform(0.12, 0.3), random), random)


def crackle(pitch: Floats, density: float, random: np.random.Generator) -> Floats:
    """Pops at random times; a pop is a short resonance."""
    return _grains(pitch, 2.0 * density, (0.002, 0.009), 0.0, random)


def bubble(pitch: Floats, density: float, random: np.random.Generator) -> Floats:
    """Drops at random times; a drop is a short sine of rising pitch."""
    return _grains(pitch, density, (0.02, 0.06), 14.0, random)


def scrape(pitch: Floats, _density: float, random: np.random.Generator) -> Floats:
    """Noise whose loudness varies irregularly, many times per second, as in stick and slip."""
    grit = np.abs(_band(np.full_like(pitch, random.uniform(35, 110)), 0.8, random))
    return _sustained(_band(pitch, random.uniform(0.35, 0.7), random) * grit, random)


SOURCES: dict[str, Source] = {
    each.__name__: each
    for each in (
        whistle, buzz, reed, voice, growl, electronic, bell, wood, glass, drum, string, click,
        hiss, rumble, wind, crackle, bubble, scrape,
    )
}  # fmt: skip


def _phase(pitch: Floats) -> Floats:
    return np.cumsum(pitch) * (2 * np.pi / SAMPLE_RATE)


def _partials(pitch: Floats, ratios: Sequence[float] | Numbers, gains: Sequence[float] | Floats) -> Floats:
    """Sum of sines at multiples of a pitch, without those that would come close to the Nyquist frequency."""
    phase, highest = _phase(pitch), pitch.max()
    audible = [(ratio, gain) for ratio, gain in zip(ratios, gains, strict=True) if ratio * highest < 0.95 * _NYQUIST]
    tone: Floats = sum((gain * np.sin(ratio * phase) for ratio, gain in audible), start=np.zeros_like(pitch))
    return tone / max(float(np.linalg.norm([gain for _, gain in audible])), 1e-9)


def _struck(
    pitch: Floats,
    ratios: Numbers,
    gains: Floats,
    decays: Numbers,
    random: np.random.Generator,
    knock: float = 0.1,
) -> Floats:
    """Knock of noise, and partials that start together and decay by e^-decay over the event."""
    time, phase, highest = np.linspace(0, 1, len(pitch)), _phase(pitch), pitch.max()
    event = knock * random.standard_normal(len(pitch)) * np.exp(-np.arange(len(pitch)) / (0.002 * SAMPLE_RATE))
    for ratio, gain, decay in zip(ratios, gains, decays, strict=True):
        if ratio * highest < 0.95 * _NYQUIST:
            event += gain * np.exp(-decay * time) * np.sin(ratio * phase)
    return event * np.minimum(1, (1 - time) * 20)


def _sustained(tone: Floats, random: np.random.Generator) -> Floats:
    """Fade a tone in (at most 0.05 s) and out (at most 0.1 s)."""
    n = len(tone)
    attack, release = (
        max(1, min(n // 3, int(random.uniform(*each) * SAMPLE_RATE))) for each in ((0.003, 0.05), (0.01, 0.1))
    )
    ramp = np.minimum(np.arange(n) / attack, (n - 1 - np.arange(n)) / release)
    softened: Floats = tone * np.clip(ramp, 0, 1)
    return softened


def _band(pitch: Floats, width: float, random: np.random.Generator) -> Floats:
    """Noise around a moving pitch, whose bandwidth is ``width`` times the mean pitch.

    Two low-pass noises modulate a carrier and its quadrature.
    """
    n = len(pitch)
    bins = int(np.clip(width * pitch.mean() * n / SAMPLE_RATE, 2, n // 2))
    spectrum = np.zeros((2, n // 2 + 1), dtype=complex)
    spectrum[:, :bins] = random.standard_normal((2, bins, 2)) @ (1, 1j)
    slow = np.fft.irfft(spectrum, n) * (n / np.sqrt(4 * bins))
    phase = _phase(np.minimum(pitch, 0.9 * _NYQUIST))
    noise: Floats = slow[0] * np.cos(phase) + slow[1] * np.sin(phase)
    return noise


def _trembling(pitch: Floats, depth: float, random: np.random.Generator) -> Floats:
    """Let a pitch deviate by a share of about ``depth``, with some thirty random deviations per second."""
    points = max(2, int(len(pitch) / SAMPLE_RATE * 30))
    drift = np.interp(np.linspace(0, points - 1, len(pitch)), np.arange(points), random.standard_normal(points))
    return pitch * (1 + depth * drift)


def _grains(
    pitch: Floats, density: float, decay: tuple[float, float], rise: float, random: np.random.Generator
) -> Floats:
    """Decaying sines at random times.

    Args:
        pitch: pitch at every sample, in Hz.
        density: grains per second.
        decay: range of a grain's time constant, in seconds.
        rise: rate at which a grain's pitch rises, in multiples of itself per second.
        random: generator that everything is drawn from.
    """
    n = len(pitch)
    event = np.zeros(n)
    for start in random.integers(n, size=max(1, random.poisson(density * n / SAMPLE_RATE))):
        tau = random.uniform(*decay) * SAMPLE_RATE
        time = np.arange(min(n - start, int(6 * tau)))
        frequency = min(pitch[start] * random.uniform(0.7, 1.5), 0.9 * _NYQUIST)
        phase = 2 * np.pi * frequency * time / SAMPLE_RATE * (1 + rise * time / SAMPLE_RATE / 2)
        event[start : start + len(time)] += random.lognormal(0, 0.6) * np.exp(-time / tau) * np.sin(phase)
    return event
