"""Audio formats by file name, for the listing of folders."""

import shlex
from importlib.util import find_spec
from pathlib import Path

import soundfile

_LIBSNDFILE = {
    "WAV": (".wav", ".wave", ".bwf"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3", ".mp2"),
    "AIFF": (".aif", ".aiff", ".aifc"),
    "AU": (".au", ".snd"),
    "CAF": (".caf",),
    "RF64": (".rf64",),
    "W64": (".w64",),
    "VOC": (".voc",),
    "NIST": (".sph", ".nist"),
    "IRCAM": (".sf", ".ircam"),
    "SVX": (".8svx", ".svx", ".iff"),
    "AVR": (".avr",),
    "PVF": (".pvf",),
}
"""libsndfile's name of a format -> suffixes of its files. Instruments and other programs' data are left out."""

PYAV = {
    ".m4a": "mov",
    ".m4b": "mov",
    ".aac": "aac",
    ".wma": "asf",
    ".amr": "amr",
    ".3gp": "mov",
    ".ac3": "ac3",
    ".mka": "matroska",
    ".weba": "matroska",
    ".ape": "ape",
    ".wv": "wv",
    ".tta": "tta",
}
"""Suffix that PyAV decodes -> FFmpeg's name of the container.

A file is opened as this container only, since other containers may refer to network addresses.
"""

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


def has_pyav() -> bool:
    """Whether the optional package ``av`` is installed."""
    return find_spec("av") is not None


SUFFIXES = (
    *(suffix for name, suffixes in _LIBSNDFILE.items() if name in soundfile.available_formats() for suffix in suffixes),
    *(PYAV if has_pyav() else ()),
)
"""Suffixes of files that can be decoded on this machine, in lower case."""


def is_audio(path: Path) -> bool:
    """Whether a file can be decoded on this machine, judged by its name; hidden files do not count."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def advice(path: Path) -> str | None:
    """Advice on how to convert a video, or a file that needs PyAV, into a file that can be decoded; None for others."""
    suffix = path.suffix.lower()
    command = " ".join(["ffmpeg -i", shlex.quote(str(path)), shlex.quote(str(path.with_suffix(".wav")))])
    if suffix in VIDEO_SUFFIXES:
        return f"is a video; take its sound out: {command}"
    if suffix in PYAV and not has_pyav():
        return f"{suffix} needs PyAV: pip install 'mgcl[m4a]'; or write it as wav: {command}"
    return None
