"""What ``mgcl fit`` learns from: its clips, its background and the options of its method, from the command line."""

import argparse
import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mgcl.catalogue import names
from mgcl.cli.clips import found_clips
from mgcl.cli.commands import say_what_is_passed_over
from mgcl.errors import MgclError, among

if TYPE_CHECKING:
    from mgcl.data.dataset import AudioFile


def clips(files: "Sequence[AudioFile]", *, several: bool) -> tuple[list[Any], list[Any]]:
    """Clips and their labels, as ``FewShotClassifier.fit`` takes them."""
    from mgcl.classifier.given import part_of

    clips = [part_of(file.path, file.start, file.end) for file in files]
    return clips, [file.labels if several else file.label for file in files]


def captions(flags: argparse.Namespace, files: "Sequence[AudioFile]") -> list[str] | None:
    """One caption per clip; None if they have none or ``--audio-only`` is given.

    Raises:
        MgclError: some clips have a caption and others none.
    """
    captions = [file.caption for file in files if file.caption]
    if captions and len(captions) < len(files):
        raise MgclError(f"{len(captions)} of {len(files)} clips have a caption; give all one, or none")
    return None if flags.audio_only or not captions else captions


def background(flags: argparse.Namespace) -> list[str] | None:
    """The clips of ``--background``; None without it.

    Raises:
        DataError: there are none.
    """
    return None if flags.background is None else found_clips([str(flags.background)])[0]


def check_flags(flags: argparse.Namespace) -> None:
    """Check the flags that need no clips.

    Raises:
        MgclError: there is no such method, or two flags do not go together.
    """
    flags.channels = flags.channels or "average"
    if flags.method is not None and flags.method not in names("method", "few_shot"):
        raise MgclError(f"no --method is called {flags.method!r}; {among(flags.method, names('method', 'few_shot'))}")
    if flags.reject_rate is not None and not flags.none_of_these:
        raise MgclError("--reject-rate says how many clips --none-of-these may reject: give that flag too")
    if flags.multi_label and flags.none_of_these:
        raise MgclError("with --multi-label a clip may have no class at all: leave out --none-of-these")
    if flags.multi_label and flags.compare:
        raise MgclError("--compare counts clips with one label: leave it out, or --multi-label")
    if flags.background is not None and not (flags.multi_label or flags.none_of_these):
        raise MgclError("--background teaches when a clip is of no class: give --none-of-these or --multi-label too")


def files(flags: argparse.Namespace, *, several: bool, least: int = 2) -> "tuple[AudioFile, ...]":
    """The clips to learn from: those of FOLDER and the events of ``--annotations``.

    Raises:
        MgclError: neither is given, or the model would lie where the clips are.
        DataError: a class, a clip or an annotation is wrong; names it.
    """
    from mgcl.classifier.annotations import read
    from mgcl.data.folder import SEPARATOR, labelled

    if flags.clips is None and not flags.annotations:
        if flags.update is not None and flags.background is not None:
            return ()
        raise MgclError("give FOLDER, with one sub-folder per class, or --annotations FILE")
    if flags.recordings is not None and not flags.recordings.is_dir():
        raise MgclError(f"--recordings {flags.recordings}: no such folder")
    clips: tuple[AudioFile, ...] = ()
    if flags.clips is not None:
        if flags.out.absolute() == flags.clips.absolute():
            raise MgclError(f"--out {flags.out}: that is where the clips are; name another folder")
        if flags.clips.is_dir():
            say_what_is_passed_over(flags.clips)
        clips = labelled(flags.clips, least=1 if flags.annotations else least, several=several)
    if not several and (joined := next((clip.label for clip in clips if SEPARATOR in clip.label), None)):
        print(f"the class {joined!r} is one label; if {SEPARATOR!r} separates several, give --multi-label", flush=True)
    events = [clip for file in flags.annotations for clip in read(file, flags.recordings)]
    return clips + tuple(replace(clip, label="", labels=(clip.label,)) if several else clip for clip in events)


def options(flags: argparse.Namespace) -> dict[str, Any]:
    """Options of the method from the command line. Values are Python literals (2, 0.5, True, None) or else text.

    Raises:
        MgclError: the method has no option of that name, or needs captions despite ``--audio-only``.
    """
    from mgcl.classifier.learner import Learner, options_of

    known = options_of(flags.method)
    options: dict[str, Any] = {}
    if flags.audio_only and Learner.named(flags.method, {}).needs_captions:
        if "fusion" not in known:
            raise MgclError(f"--audio-only: the method {flags.method} needs captions")
        options["fusion"] = "audio"
    for words in flags.option:
        name, text = _pair(words)
        if name not in known:
            has = ", ".join(known) or "no options"
            raise MgclError(f"--option {name}: the method {flags.method} has none of that name; it has {has}")
        try:
            options[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[name] = text
    return options


def _pair(words: list[str]) -> tuple[str, str]:
    """Name and value of one option, written as NAME=VALUE or NAME VALUE.

    Raises:
        MgclError: the words have neither form.
    """
    name, equals, value = words[0].partition("=")
    if len(words) == 1 and equals:
        return name, value
    if len(words) == 2 and not equals:
        return name, words[1]
    raise MgclError(f"--option {' '.join(words)}: write NAME=VALUE, e.g. --option alpha=2")


def check_comparison(flags: argparse.Namespace, clips: Mapping[str, int]) -> None:
    """Check that ``--compare`` can leave a clip of each class out.

    Raises:
        MgclError: a class has one clip alone.
    """
    if flags.compare and (single := [label for label, count in clips.items() if count < 2]):
        raise MgclError(
            f"--compare leaves clips out, and there is one clip alone of {', '.join(single)}: add another, or leave "
            "out --compare"
        )
