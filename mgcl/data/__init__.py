"""Data sets, their class subsets (folds), and the episodes drawn from them."""

STREAMED = "manifest:FILE (csv or parquet)", "tar:'PATTERN' (WebDataset)", "parquet:'PATTERN' (with the audio)"
"""Names of the data sets of ``mgcl.data._streamed``, for the help of commands."""
