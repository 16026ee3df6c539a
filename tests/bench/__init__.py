"""Benchmarks: ``make bench NAME=<folder>``."""
