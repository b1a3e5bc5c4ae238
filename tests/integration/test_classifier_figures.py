"""Pictures and the page of an answer's reasons: what they show, of models of every kind; a page is whole by itself."""

import copy
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
import torch

from mgcl import FewShotClassifier
from mgcl.classifier import figures
from mgcl.classifier.kept_sounds import keep, kept
from mgcl.classifier.page import html, title, why
from mgcl.classifier.reasons import Reasons
from mgcl.classifier.sounds import Sound
from mgcl.language.prompts import templated
from mgcl.reporting.figure import Figure
from tests.generated_backbone import embedded_once
from tests.generated_sounds import RATE, waveform, write_sounds

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
KINDS = ("hum", "hiss", "beeps")
HUM = waveform("hum", 9)


@pytest.fixture(scope="module", autouse=True)
def _embedded_once() -> Iterator[None]:
    with embedded_once():
        yield


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> dict[str, list[Path]]:
    return write_sounds(tmp_path_factory.mktemp("sounds"), KINDS, clips=2)


def fitted(sounds, names=KINDS, **options) -> FewShotClassifier:
    labelled = [(path, name) for name, kind in zip(names, KINDS, strict=True) for path in sounds[kind]]
    return FewShotClassifier(method="mgcl", sample_rate=RATE, epochs=1, **options).fit(*zip(*labelled, strict=True))


@pytest.fixture(scope="module")
def classifier(sounds) -> FewShotClassifier:
    return fitted(sounds)


@pytest.fixture(scope="module")
def sound(classifier) -> Sound:
    return classifier.sound(HUM)


@pytest.fixture(scope="module")
def reasons(classifier) -> Reasons:
    return classifier.explain(HUM)


@pytest.fixture(scope="module")
def shares(reasons) -> Figure:
    return figures.shares(reasons)


@pytest.fixture(scope="module")
def transport(reasons, sound) -> Figure:
    return figures.transport(reasons, sound, RATE)


@pytest.fixture
def drawn_already(monkeypatch, shares, transport) -> None:
    """For tests of a page's words: its pictures are looked at elsewhere."""
    monkeypatch.setattr("mgcl.classifier.page.shares", lambda *_: shares)
    monkeypatch.setattr("mgcl.classifier.page.transport", lambda *_: transport)


def test_explanations_are_in_the_order_of_the_plans_columns(reasons) -> None:
    assert reasons.answer.label == "hum"
    assert reasons.explanations == {kind: templated(kind) for kind in KINDS}
    assert {np.shape(plan)[1] for plan in reasons.plans.values()} == {8}


def test_the_two_most_probable_classes_are_compared(reasons, shares, transport) -> None:
    first, second, _ = reasons.ranking
    assert f"what speaks for {first} (to the right) and for {second} (to the left)" in shares.caption
    assert transport.caption.startswith("When: how the fine contrast's transport plan matches")
    for figure in (shares, transport):
        svg = ElementTree.fromstring(figure.svg)  # noqa: S314 - our own
        links = [value for each in svg.iter() for name, value in each.attrib.items() if name.endswith("href")]
        assert all(link.startswith(("#", "data:")) for link in links)


def test_words_and_frames_share_the_cosine_and_are_drawn(reasons, sound, classifier) -> None:
    alignment = reasons.alignment
    assert alignment.sentence == reasons.strongest_sentence in templated("hum")
    assert " ".join(alignment.words).replace(" ,", ",") == alignment.sentence
    clip = classifier._backbone.embed_audio(torch.from_numpy(sound.waveform)[None]).clip[0]
    cosine = float(clip @ classifier._backbone.embed_text([alignment.sentence])[0])
    assert np.sum(alignment.shares) == pytest.approx(alignment.cosine, abs=1e-5)
    assert alignment.cosine == pytest.approx(cosine, abs=1e-5)
    assert np.shape(alignment.shares) == (len(alignment.words), 16)
    assert np.shape(alignment.codeword_shares) == (len(alignment.codewords), 16) == (8, 16)
    drawn = figures.alignment(reasons, sound, RATE)
    assert f"add up to the cosine of both, {cosine:.2f}" in drawn.caption
    less = replace(reasons, alignment=replace(alignment, codewords=(), codeword_shares=()))
    assert height(figures.alignment(less, sound, RATE).png) < height(drawn.png)
    assert "how its frames (columns) meet the words" in why(reasons, sound, RATE, name="clip")
    assert figures.alignment(replace(reasons, alignment=None), sound, RATE) is None


def test_the_same_reasons_give_the_same_bytes_whatever_the_users_own_settings(
    reasons, sound, shares, transport
) -> None:
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "none"}):
        assert (figures.shares(reasons), figures.transport(reasons, sound, RATE)) == (shares, transport)


def test_other_numbers_give_other_pictures(reasons, sound, shares, transport) -> None:
    weaker = [replace(share, parts={part: each / 2 for part, each in share.parts.items()}) for share in reasons.support]
    assert figures.shares(replace(reasons, support=tuple(weaker))).svg != shares.svg
    later = {label: plan[::-1] for label, plan in reasons.plans.items()}
    assert figures.transport(replace(reasons, plans=later), sound, RATE).svg != transport.svg
    backwards = replace(sound, waveform=sound.waveform[::-1])
    assert figures.transport(reasons, backwards, RATE).svg != transport.svg


@pytest.mark.parametrize(
    "options",
    [
        {"matching": "uniform"},
        {"fusion": "caption", "coarse_cache": False, "fine_cache": False, "fine_contrast": False},
        {"coarse_contrast": False, "fine_contrast": False},
    ],
    ids=["uniform", "captions alone", "cache alone"],
)
def test_what_a_model_does_not_have_is_not_drawn(sounds, options, sound, shares, transport, monkeypatch) -> None:
    less = fitted(sounds, **options).explain(HUM)
    assert less.plans == {}
    alone = figures.transport(less, sound, RATE)
    assert "gives no transport plans" in alone.caption
    assert height(alone.png) < height(transport.png) / 2
    drawn, whole = figures.shares(less), height(shares.png)
    assert height(drawn.png) == whole if less.support and less.sentences else height(drawn.png) < whole
    monkeypatch.setattr("mgcl.classifier.page.shares", lambda *_: drawn)
    monkeypatch.setattr("mgcl.classifier.page.transport", lambda *_: alone)
    page = why(less, sound, RATE, name="clip")
    assert ("Strongest support clips" in page) == bool(less.support)
    assert ("Strongest explanations" in page) == bool(less.sentences)


def height(png: bytes) -> int:
    return int.from_bytes(png[20:24])


def test_a_clip_that_is_turned_away_is_compared_with_what_it_is_nearest_to(reasons, sound, transport) -> None:
    turned = replace(reasons, answer=replace(reasons.answer, label="none of these", clip="/somewhere/a.wav"))
    assert "rejected as none of these" in figures.shares(turned).caption
    assert re.fullmatch(r"a\.wav: none of these \(the nearest is hum, \d+ %\)", title(turned))
    assert figures.transport(turned, sound, RATE).svg != transport.svg  # its roles


@pytest.mark.parametrize("names", [(1, 2, 3), ("50$ & <more>_$", "a $ b", "<script>alert(1)</script>")])
def test_a_class_may_be_called_anything(sounds, names, sound) -> None:
    found = fitted(sounds, names, alpha=100.0).explain(HUM)  # the clips decide, and not sentences with such a name
    assert found.answer.label == names[0]
    page = html([(found, sound)], RATE)
    assert "<script>" not in page
    assert Parsed(page).json == [json.loads(json.dumps(found.to_json()))]


@pytest.mark.usefixtures("drawn_already")
def test_a_long_or_odd_file_name_is_shown_and_harmless(reasons, sound) -> None:
    name = "<b>${1} {{2}} & " + "long " * 20 + ".wav"
    odd = replace(reasons.support[0], name=f"/folder/{name}")
    named = replace(reasons, answer=replace(reasons.answer, clip=name), support=(odd, *reasons.support[1:]))
    assert len(figures.file_name(name)) == 48
    assert figures.file_name(name).endswith("long .wav")
    page = html([(named, sound)], RATE)
    assert "<b>" not in page
    assert "&lt;b&gt;${1} {{2}} &amp; long" in page


class Parsed(HTMLParser):
    """Ids, what would be fetched, and json."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids, self.fetched, self.json, self._inside = [], [], [], False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._inside = tag == "pre"
        self.ids += filter(None, [found.get("id")])
        links = [found[name] for name in ("src", "href", "xlink:href") if found.get(name)]
        self.fetched += [link for link in links if not link.startswith(("#", "data:"))]

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.json.append(json.loads(data))

    def handle_endtag(self, _tag: str) -> None:
        self._inside = False


@pytest.mark.usefixtures("drawn_already")
def test_a_page_of_several_clips_is_whole_and_its_ids_do_not_clash(reasons, sound) -> None:
    page = html([(reasons, sound), (reasons, sound)], RATE)
    seen = Parsed(page)
    assert len(seen.ids) == len(set(seen.ids)) > 100
    assert seen.fetched == []
    assert page.count("<figure") == 6
    assert page.count(f"“{reasons.caption}”") == 2
    assert seen.json == [json.loads(json.dumps(reasons.to_json()))] * 2


@pytest.mark.usefixtures("drawn_already")
def test_a_tables_parts_sum_to_the_logit_and_support_is_pointed_out(reasons, sound) -> None:
    page = html([(reasons, sound)], RATE)
    row = re.search(r"<tr><td>hum</td><td>([\d.]+) %</td>(.*?)</tr>", page)
    *parts, logit = map(float, re.findall(r"<td>(-?[\d.]+)</td>", row.group(2)))
    assert len(parts) == 4
    assert sum(parts) == pytest.approx(logit, abs=0.003)
    assert float(row.group(1)) == pytest.approx(100 * reasons.answer.probability, abs=0.06)
    assert "This very sound" not in page
    known = replace(reasons, answer=replace(reasons.answer, in_support=True))
    assert "This very sound is one of the support clips" in why(known, sound, RATE, name="clip")


@pytest.mark.usefixtures("drawn_already")
def test_kept_sounds_are_played_beside_their_clips_and_go_with_them(
    reasons, sound, classifier, sounds, tmp_path
) -> None:
    classifier.save(tmp_path)
    assert "its sound" not in html([(reasons, sound)], RATE, tmp_path)
    keep(tmp_path, (classifier.sound(path) for path in sounds["hum"]), RATE)
    page = html([(reasons, sound)], RATE, tmp_path)
    assert page.count("data:audio/flac;base64,") == 2
    assert Parsed(page).fetched == []
    heard, rate = soundfile.read(io.BytesIO(kept(tmp_path, classifier.sound(sounds["hum"][0]).digest)))
    assert rate == RATE
    assert np.abs(heard - classifier.sound(sounds["hum"][0]).waveform).max() < 1e-4
    copy.copy(classifier).remove_class("hum").save(tmp_path)
    assert not list(tmp_path.rglob("*.flac"))
