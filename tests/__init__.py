"""Tests, and the clusters they run on."""
