"""What holds of a ModelVersion."""
