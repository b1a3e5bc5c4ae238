"""Data sets, their class subsets (folds), and the episodes drawn from them."""
