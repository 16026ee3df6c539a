"""Who asks, what that person may do, and calls to the API server with the person's own rights."""
