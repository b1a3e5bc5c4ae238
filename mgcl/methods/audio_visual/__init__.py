"""Audio-visual recognisers, one per module. Modules that begin with _ hold what needs torch, and shared parts."""
