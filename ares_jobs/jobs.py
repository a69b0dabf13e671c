"""The two jobs: the whole graph of one partition, in full and in blank mode.

Belongs here: jobs and their tags.  Does not belong here: schedules, sensors, and the steps.
"""

from __future__ import annotations

import dagster as dg

from ares_resources.dagster_resources import MODE_TAG

_ALL = dg.AssetSelection.all()

full_training = dg.define_asset_job(
    "full_training",
    selection=_ALL,
    description="All sixteen steps for one symbol and regime: 365 days, the whole search budget.",
    tags={MODE_TAG: "full"},
)
blank_training = dg.define_asset_job(
    "blank_training",
    selection=_ALL,
    description="The same sixteen steps, lightly: 30 days, 5 + 3 trials. For trying things out.",
    tags={MODE_TAG: "blank"},
)
JOBS = {"full": full_training, "blank": blank_training}
