"""Small checkpoints with random weights, in the real formats."""
