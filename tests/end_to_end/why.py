"""The picture at the top of the README: one clip, its answer, and the reasons, from a model that `mgcl fit` made.

    python tests/end_to_end/why.py MODEL CLIP     # writes reports/screenshots/why.png

The committed one is of 1-006005-A-6.wav, a cuckoo of `mgcl data generate --root sounds --clips 15`. The model has the
first five clips outside fold 1 of ambulance, cuckoo, gong, heartbeat and surf, and `explanations="soundscapes"`.
"""

import io
import sys
import textwrap
from pathlib import Path

import numpy as np
from matplotlib import mlab, style
from matplotlib.axes import Axes
from PIL import Image

from mgcl import FewShotClassifier
from mgcl.classifier.reasons import Reasons
from mgcl.classifier.sounds import Sound
from mgcl.reporting.drawing import LOOKS, STYLE, canvas, finish

PICTURE = Path(__file__).parents[2] / "reports" / "screenshots" / "why.png"
_FOR, _AGAINST = LOOKS[5].color, LOOKS[4].color


def main() -> None:
    """Explain the clip and draw it."""
    model, clip = sys.argv[1:]
    classifier = FewShotClassifier.load(model)
    sound = classifier.sound(clip)
    reasons = classifier.explain(sound)
    with style.context(["default", STYLE]):
        drawn = canvas(10, 5.2)
        drawn.get_layout_engine().set(w_pad=0.12, h_pad=0.06)
        axes = drawn.subplot_mosaic("ab;cd", width_ratios=(3, 2), height_ratios=(4, 5))
        axes["a"].sharex(axes["c"])
        _over_time(axes["a"], axes["c"], reasons, sound, classifier.sample_rate_)
        _probabilities(axes["b"], reasons)
        _support(axes["d"], reasons)
        picture = finish("why", "", drawn)
    with Image.open(io.BytesIO(picture.png)) as image:
        image.convert("RGB").quantize(96).save(PICTURE, optimize=True)


def _over_time(spectrogram: Axes, plan: Axes, reasons: Reasons, sound: Sound, rate: int) -> None:
    first = reasons.ranking[0]
    share = np.array(reasons.plans[first]).T
    end = reasons.segment_times[-1] + reasons.segment_times[0]
    power, _, _ = mlab.specgram(sound.waveform, NFFT=512, noverlap=256, Fs=rate)
    extent = (0, end, 0, rate / 2000)
    spectrogram.imshow(10 * np.log10(power), cmap="cividis", vmin=-130, origin="lower", aspect="auto", extent=extent)
    spectrogram.set(title=f"a new clip: {first}", ylabel="frequency (kHz)")
    image = plan.imshow(share * share.size, cmap="cividis", aspect="auto", extent=(0, end, len(share) - 0.5, -0.5))
    sentences = [textwrap.fill(text, 40, max_lines=2, placeholder=" ...") for text in reasons.explanations[first]]
    plan.set_yticks(range(len(share)), sentences, fontsize=7)
    plan.set(title=f"which segments match which sentences about {first}", xlabel="time (s)")
    plan.figure.colorbar(image, ax=plan, label="× uniform match", pad=0.01)


def _probabilities(axes: Axes, reasons: Reasons) -> None:
    shares = [reasons.answer.probabilities[label] for label in reasons.ranking]
    bars = axes.barh(list(map(str, reasons.ranking)), shares, color=[_FOR, _AGAINST] + ["#999999"] * (len(shares) - 2))
    axes.bar_label(bars, [f"{100 * share:.0f} %" for share in shares], padding=3)
    axes.invert_yaxis()
    axes.set(title="probabilities", xlim=(0, 1.15), xticks=[])


def _support(axes: Axes, reasons: Reasons) -> None:
    first, second, *_ = reasons.ranking
    for label, sign, colour in ((first, 1, _FOR), (second, -1, _AGAINST)):
        found = [share for share in reasons.support if share.label == label][:4]
        names = [f"{label} {number}" for number, share in enumerate(found, 1)]
        axes.barh(names, [sign * sum(share.parts.values()) for share in found], color=colour)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.tick_params(axis="y", labelsize=8)
    axes.set(title="labelled clips, for and against", xlabel=f"← {second}     share of the logit     {first} →")


if __name__ == "__main__":
    main()
