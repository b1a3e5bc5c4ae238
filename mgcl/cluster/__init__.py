"""Ray: connected to, and what runs on it."""
