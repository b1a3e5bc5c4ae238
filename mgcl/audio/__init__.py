"""Audio files: which are read, and how they are decoded, whatever their headers say."""
