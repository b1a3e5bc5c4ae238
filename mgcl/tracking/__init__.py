"""Record of all trials, in MLflow. Only this package imports mlflow, except for a search's export."""
