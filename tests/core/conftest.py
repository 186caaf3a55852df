"""Hypothesis settings for the laws: no time limit for an example, because the machine may be busy."""

from hypothesis import settings

settings.register_profile("laws", deadline=None, print_blob=True)
settings.load_profile("laws")
