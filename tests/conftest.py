"""Settings for every test."""

from hypothesis import settings

from hallmark.kernels import choose_kernels

# What trains in a test's own process has the bytes of what trains in another one.
choose_kernels()

# A busy machine is no failure: a slow example is not a wrong one. What gates a change tries the
# same few examples each time; what looks for new failures (`make test-all`) draws them, and ten
# times as many (see `tests/examples.py`).
settings.register_profile("same", deadline=None, max_examples=40, derandomize=True)
settings.register_profile("drawn", deadline=None, max_examples=400, print_blob=True)
settings.load_profile("same")
