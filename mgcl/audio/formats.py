"""Which files are audio: by their names, as a folder is listed."""

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
"""libsndfile's name of a format -> how its files are called; those of instruments and of other programs' data aside."""

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
"""What PyAV decodes -> FFmpeg's name of the container; as no other is a file opened, since some name addresses."""

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


def has_pyav() -> bool:
    """Whether the package ``av``, an option, is installed."""
    return find_spec("av") is not None


SUFFIXES = (
    *(suffix for name, suffixes in _LIBSNDFILE.items() if name in soundfile.available_formats() for suffix in suffixes),
    *(PYAV if has_pyav() else ()),
)
"""What is listed of a folder, in lower case: all that is decoded here."""


def is_audio(path: Path) -> bool:
    """Whether a file is decoded here, by its name; a hidden one is not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def advice(path: Path) -> str | None:
    """How the sound of a file that is not decoded here becomes one that is; None: it is no such file."""
    suffix = path.suffix.lower()
    command = " ".join(["ffmpeg -i", shlex.quote(str(path)), shlex.quote(str(path.with_suffix(".wav")))])
    if suffix in VIDEO_SUFFIXES:
        return f"is a video; take its sound out: {command}"
    if suffix in PYAV and not has_pyav():
        return f"{suffix} needs PyAV: pip install 'mgcl[m4a]'; or write it as wav: {command}"
    return None
