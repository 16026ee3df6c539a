"""The predictor: verifies a sealed model, loads its data-only form and serves it."""
