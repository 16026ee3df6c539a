"""An installed Hallmark on a real cluster, its users, and what a test needs to look at it."""
