"""How fast the dashboard's pages are where there are many objects."""
