"""Audio files: which are read, and how they are decoded, whatever their headers say."""

CHANNELS = ("average", "left", "right", "louder")
"""How one channel is made of several."""
