"""Hypothesis settings for the laws: no time limit for an example, because the machine may be busy.

`make mutants` only asks whether a law fails: always by the same examples, and without a search for the smallest.
"""

from hypothesis import Phase, settings

settings.register_profile("laws", deadline=None, print_blob=True)
settings.register_profile(
    "mutants", deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("laws")
