"""Hallmark: a Kubernetes operator for machine-learning models that must be trusted."""
