"""Data sets: their class subsets, and the episodes drawn from them."""
