"""A real browser for the tests of the pages, and for the pictures in the documentation."""
