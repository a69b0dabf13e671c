"""The workspace of a run, which refuses settings that its job cannot carry out.

Belongs here: asking, before step 1, what the command line asks before it starts a run, and
registering the symbol.  Does not belong here: the checks (``training_window.py``), tags and run
config (``ares_resources/dagster_resources.py``).
"""

import dagster as dg

from ares_jobs.training_window import check_window
from ares_resources.dagster_resources import (
    MODE_TAG,
    SYMBOL_TAG,
    SYMBOLS_PARTITIONS,
    WorkspaceResource,
)


class RunWorkspace(WorkspaceResource):
    """The home, and the settings of this run.

    ``overrides`` takes any part of the configuration tree in the launchpad.
    """

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Check the run's tags and settings, then register its symbol."""
        super().setup_for_execution(context)
        symbol = self._tags.get(SYMBOL_TAG)
        if symbol is not None and context.instance is not None:
            context.instance.add_dynamic_partitions(SYMBOLS_PARTITIONS, [symbol])

    def check(self) -> None:
        """Beside what stands in the tags: a job, which has a mode, needs room in its window.

        Single assets, which the UI makes without one, may be made on any window.
        """
        super().check()
        if MODE_TAG in self._tags:
            check_window(self.request_settings())
