"""Few-shot methods on frozen features: one file each; cache, contrast and training are what they share."""
