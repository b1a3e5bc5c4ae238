"""Tables of recorded trials. Loads neither torch, Ray nor MLflow."""
