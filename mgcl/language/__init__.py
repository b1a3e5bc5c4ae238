"""Words: what classes and clips sound like."""
