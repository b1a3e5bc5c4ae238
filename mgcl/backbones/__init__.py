"""Frozen audio-language models, one file each."""
