"""Methods that learn from a few labelled clips, one file per method. Files that begin with _ hold shared parts."""
