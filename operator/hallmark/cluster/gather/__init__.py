"""From the cluster to the frozen inputs of one decision, by kind."""
