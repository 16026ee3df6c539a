"""How fast drift is followed by the version before, on the real cluster."""
