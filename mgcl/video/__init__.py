"""Decoding and encoding of videos (PyAV, extra ``video``)."""
