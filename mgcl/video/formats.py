"""Video formats by file name."""

from pathlib import Path

CONTAINERS = {
    ".mp4": "mov",
    ".m4v": "mov",
    ".mov": "mov",
    ".3gp": "mov",
    ".mkv": "matroska",
    ".webm": "matroska",
    ".avi": "avi",
    ".mpg": "mpeg",
    ".mpeg": "mpeg",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".flv": "flv",
    ".wmv": "asf",
}
"""Suffix of a video -> FFmpeg's name of the container.

A file is opened as this container only, since other containers may refer to network addresses.
"""


def is_video(path: Path) -> bool:
    """Whether a file is a video, judged by its name; hidden files do not count."""
    return path.suffix.lower() in CONTAINERS and not path.name.startswith(".")
