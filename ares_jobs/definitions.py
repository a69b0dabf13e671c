"""The code location's entry: ``dagster dev``, ``dagster job execute -m ares_jobs.definitions``.

Belongs here: one call.  Does not belong here: anything else.
"""

from ares_jobs.build import build_defs

defs = build_defs()
