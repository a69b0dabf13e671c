"""The workspace of a run, which refuses settings that its job cannot carry out.

Belongs here: asking, before step 1, what the command line asks before it starts a run.  Does
not belong here: the checks (``training_window.py``), tags and run config
(``ares_resources/dagster_resources.py``).
"""

from ares_jobs.training_window import check_window
from ares_resources.dagster_resources import WorkspaceResource
from ares_resources.settings import Settings


class CheckedWorkspace(WorkspaceResource):
    """The home, and the settings of this run.

    ``overrides`` takes any part of the configuration tree in the launchpad.
    """

    def check_settings(self, settings: Settings) -> None:
        """Refuse a window too short for the job; single assets may be made on any."""
        if self.whole_run:
            check_window(settings)
