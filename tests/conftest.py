"""Settings of the whole suite."""

import os

from hypothesis import settings

# No deadlines: machines are shared, and a slow example is not a wrong one. CI repeats its examples,
# so that a failure there is one that can be had again; elsewhere each run looks at new ones.
settings.register_profile("suite", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("suite")
