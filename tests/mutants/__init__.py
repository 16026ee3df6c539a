"""Mutation of the code that decides: what the unit tests do not notice."""
