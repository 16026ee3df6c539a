"""What becomes of a ModelDeployment: rollout, rollback, what is shown."""
