"""Data sets that are listed as a stream and never held whole, of any number of clips; ``opening`` has their names."""
