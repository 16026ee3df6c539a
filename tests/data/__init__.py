"""Real datasets that the tests, the end-to-end story and the demo share."""
