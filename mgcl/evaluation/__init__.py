"""A trial's accuracy, and the statistics of many. Knows neither Ray nor MLflow."""
