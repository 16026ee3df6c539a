"""Settings for every test."""

from hypothesis import settings

# A busy machine is no failure: a slow example is not a wrong one.
settings.register_profile("hallmark", deadline=None)
settings.load_profile("hallmark")
