"""The report on a page for people: rendered by the training Job, and again before sealing."""
