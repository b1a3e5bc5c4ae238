"""From audio to a feature bank: the only room that runs a backbone over a data set."""
