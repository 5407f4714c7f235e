"""Settings of the whole suite."""

from hypothesis import settings

# No deadlines: machines are shared, and a slow example is not a wrong one.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
