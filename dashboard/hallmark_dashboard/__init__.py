"""The dashboard: reads the objects and shows the chain."""
