"""Figures of sed_scores_eval for small cases, which tests/numerics/test_sound_events.py compares with ours.

It needs an environment of its own, because sed_scores_eval needs older libraries than mgcl's:

    python -m venv oracle && oracle/bin/pip install sed_scores_eval==0.0.4 "setuptools<81" "pandas<3" "numpy<2"
    oracle/bin/python tests/numerics/sound_event_oracle.py > tests/numerics/sound_events.json
"""

import json

import numpy as np

SECONDS, FRAMES = 10.0, 20
PSDS = {
    "PSDS1": {"dtc": 0.7, "gtc": 0.7, "cttc": None, "alpha_ct": 0.0, "alpha_st": 1.0, "max_efpr": 100.0},
    "PSDS1_A": {"dtc": 0.7, "gtc": 0.7, "cttc": None, "alpha_ct": 0.0, "alpha_st": 0.0, "max_efpr": 100.0},
    "PSDS2": {"dtc": 0.1, "gtc": 0.1, "cttc": 0.3, "alpha_ct": 0.5, "alpha_st": 1.0, "max_efpr": 100.0},
    "wide": {"dtc": 0.5, "gtc": 0.5, "cttc": 0.3, "alpha_ct": 1.0, "alpha_st": 0.5, "max_efpr": 3000.0},
    "equal": {"dtc": 0.5, "gtc": 0.5, "cttc": None, "alpha_ct": 0.0, "alpha_st": 0.0, "max_efpr": 3000.0},
}


def scored(events, classes, random, noise):
    """Scores that rise where an event sounds, in hundredths, so that some are equal."""
    middle = (np.arange(FRAMES) + 0.5) * SECONDS / FRAMES
    score = noise * random.random((len(events), FRAMES, len(classes)))
    for clip, each in enumerate(events):
        for onset, offset, label in each:
            score[clip, (middle > onset) & (middle < offset), classes.index(label)] += 0.5
    return np.round(score, 2)


def drawn(random, classes, clips):
    """Events of random classes, lengths and places; some clips have none."""
    events = []
    for _ in range(clips):
        starts = random.uniform(0, 8, random.integers(4))
        lengths = random.uniform(0.5, 4, len(starts))
        labels = random.choice(classes, len(starts))
        each = [
            (round(float(start), 3), round(float(min(start + length, SECONDS)), 3), str(label))
            for start, length, label in zip(starts, lengths, labels, strict=True)
        ]
        events.append(sorted(each))
    return events


def joined(events):
    """Events of which those of one class that touch or overlap are one: sed_scores_eval refuses others."""
    found = []
    for onset, offset, label in sorted(events, key=lambda event: (event[2], event[0])):
        if found and found[-1][2] == label and onset <= found[-1][1]:
            found[-1] = (found[-1][0], max(offset, found[-1][1]), label)
        else:
            found.append((onset, offset, label))
    return sorted(found)


def cases():
    random = np.random.default_rng(0)
    three = ["dog", "rain", "siren"]
    for number, noise in enumerate((0.6, 0.9, 1.2)):
        events = drawn(random, three, 8)
        yield f"random {number}", three, events, scored(events, three, random, noise)
    touching = [[(1.0, 3.0, "dog"), (3.0, 5.0, "dog"), (5.0, 6.0, "rain")], [], [(2.0, 4.5, "rain")]]
    yield "touching events, and a clip without any", three[:2], touching, scored(touching, three[:2], random, 0.6)
    one = [[(1.0, 3.0, "dog")], [], [(0.0, 10.0, "dog")], [(2.2, 2.9, "dog"), (6.1, 8.0, "dog")]]
    yield "one class", three[:1], one, scored(one, three[:1], random, 0.7)
    every = [[(start, start + 3.0, label) for start, label in zip((0.5, 2.0, 6.5), three, strict=True)]] * 3
    yield "all classes in every clip", three, every, scored(every, three, random, 0.7)
    crossed = [[(1.0, 6.0, "dog")], [(2.0, 7.0, "rain")], [(0.5, 3.0, "siren"), (5.0, 9.0, "dog")]]
    swapped = [[(onset, offset, three[three.index(each) - 1]) for onset, offset, each in clip] for clip in crossed]
    yield "cross-triggers", three, crossed, scored(swapped, three, random, 0.7)


def f_scores(found):
    f, _, _, stats = found
    counts = {name: [int(each["tps"]), int(each["fps"]), int(each["n_ref"])] for name, each in stats.items()}
    return {"macro": float(f["macro_average"]), "micro": float(f["micro_average"]), "counts": counts}


def figures(classes, events, score):
    from sed_scores_eval import collar_based, intersection_based, segment_based  # not in mgcl's own environment
    from sed_scores_eval.base_modules.scores import create_score_dataframe

    edges = np.linspace(0, SECONDS, FRAMES + 1)
    names = [f"clip{number}" for number in range(len(events))]
    scores = {name: create_score_dataframe(each, edges, classes) for name, each in zip(names, score, strict=True)}
    truth, lengths = dict(zip(names, map(joined, events), strict=True)), dict.fromkeys(names, SECONDS)
    found = {"psds": {}}
    for name, each in PSDS.items():
        if len(classes) == 1:  # no other class can trigger a detection, and sed_scores_eval fails where it looks
            each = {**each, "cttc": None, "alpha_ct": 0.0}
        found["psds"][name] = float(
            intersection_based.psds(
                scores,
                truth,
                lengths,
                dtc_threshold=each["dtc"],
                gtc_threshold=each["gtc"],
                cttc_threshold=each["cttc"],
                alpha_ct=each["alpha_ct"],
                alpha_st=each["alpha_st"],
                max_efpr=each["max_efpr"],
            )[0]
        )
    collars = {"onset_collar": 0.2, "offset_collar": 0.2, "offset_collar_rate": 0.2}
    found["event"] = f_scores(collar_based.fscore(scores, truth, threshold=0.555, **collars))
    found["segment"] = f_scores(segment_based.fscore(scores, truth, lengths, threshold=0.555, segment_length=1.0))
    best = collar_based.best_fscore(scores, truth, **collars)
    found["best event"] = {name: [float(best[0][name]), float(best[3][name])] for name in classes}
    best = segment_based.best_fscore(scores, truth, lengths, segment_length=1.0)
    found["best segment"] = {name: [float(best[0][name]), float(best[3][name])] for name in classes}
    return found


def main():
    found = [
        {
            "name": name,
            "classes": classes,
            "events": events,
            "scores": score.tolist(),
            **figures(classes, events, score),
        }
        for name, classes, events, score in cases()
    ]
    print(json.dumps({"seconds": SECONDS, "frames": FRAMES, "parameters": PSDS, "cases": found}))


if __name__ == "__main__":
    main()
