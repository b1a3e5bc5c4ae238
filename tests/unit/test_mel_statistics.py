"""What is known of a clip without a backbone."""

import numpy as np
import pytest

from mgcl.features.mel_statistics import mel_statistics


def test_loudness_is_the_root_mean_square_in_decibels() -> None:
    sine = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    tone, silent = mel_statistics(np.stack([sine, 0 * sine]), 16000)
    assert tone.shape == (65,)
    assert tone[-1] == pytest.approx(-3.01, abs=0.01)
    assert silent == pytest.approx(np.full(65, -100.0), abs=1e-4)


def test_ten_times_louder_is_twenty_decibels_in_every_band() -> None:
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    loud, quiet = mel_statistics(np.stack([noise, noise / 10]), 16000)
    assert loud - quiet == pytest.approx(np.full(65, 20.0), abs=0.01)


def test_the_spectrum_forgets_when_a_sound_was_heard() -> None:
    random = np.random.default_rng(0)
    noise = random.standard_normal(16000).astype(np.float32)
    early, late = (np.concatenate(parts) for parts in ((noise, 0 * noise), (0 * noise, noise)))
    assert np.abs(np.subtract(*mel_statistics(np.stack([early, late]), 16000))).max() < 3
