"""An index of recordings: the embeddings of all their windows, in a folder that grows and is searched."""
