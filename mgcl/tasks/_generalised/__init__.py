"""Parts of the task ``generalised``: data of a stage, calibration, words, training. ``parts`` loads without torch."""
