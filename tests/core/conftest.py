"""Laws are tried on many examples without a time limit on each: this machine may be busy."""

from hypothesis import settings

settings.register_profile("laws", deadline=None, print_blob=True)
settings.load_profile("laws")
