"""Audio files: which are read, how they are decoded, and how a clip is cut from one."""
