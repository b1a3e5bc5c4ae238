"""Ray: the connection to a cluster, and the workers that run on it."""
