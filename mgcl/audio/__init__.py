"""Audio files: the formats that are read, and decoding that does not rely on the headers' lengths."""

CHANNELS = ("average", "left", "right", "louder")
"""Ways to reduce several channels to one."""
