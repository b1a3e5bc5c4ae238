"""Reports of recorded trials: tables, statistics and pictures. The package loads neither torch, Ray nor MLflow."""
