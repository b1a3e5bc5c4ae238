"""Methods that learn from a few labelled clips: one file per method; files that begin with _ are shared parts."""
