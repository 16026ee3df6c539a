"""What becomes of a TrainingRun."""
