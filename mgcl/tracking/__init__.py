"""The record of every trial, in MLflow. Only this room imports mlflow, but for a search's export."""
