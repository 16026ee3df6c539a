"""Tests of the cluster of the tests."""
