"""Hypothesis draws the same cases in every run; a failing one prints how to repeat it."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")
