"""The one folder under which all that a run makes lives.

Belongs here: where each kind of file stands, and making the folders.
Does not belong here: reading or writing what they hold.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ares_resources.errors import BadInput

_DAGSTER_YAML = """\
telemetry:
  enabled: false
nux:
  enabled: false
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    # Two cores: one partition computes, another may wait for the exchange.
    max_concurrent_runs: 2
retention:
  sensor:
    purge_after_days: {skipped: 2, failure: 30, success: -1}
  schedule:
    purge_after_days: {skipped: 2, failure: 30, success: -1}
"""


@dataclass(frozen=True)
class Home:
    """Paths below ``$ARES_HOME``, or ``data/`` of the checkout."""

    root: Path

    @classmethod
    def find(cls) -> Home:
        """``$ARES_HOME``, else ``data/`` of the checkout, else ``ares-data/`` here."""
        given = os.environ.get("ARES_HOME")
        if given:
            root = Path(given).expanduser()
            if root.exists() and not root.is_dir():
                raise BadInput(f"ARES_HOME={given!r} is a file; allowed: a folder, or a new name")
            return cls(root.resolve())
        checkout = Path(__file__).resolve().parents[1]
        if (checkout / "workspace.yaml").is_file():
            return cls(checkout / "data")
        return cls(Path.cwd() / "ares-data")

    @property
    def catalogue(self) -> Path:
        return self.root / "catalogue"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def checks(self) -> Path:
        return self.root / "checks"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def ledger(self) -> Path:
        return self.root / "trials.db"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def restraints(self) -> Path:
        """Which exchanges asked not to be asked, and until when."""
        return self.root / "exchanges"

    @property
    def mlflow(self) -> Path:
        return self.root / "mlflow"

    @property
    def dagster(self) -> Path:
        """``$DAGSTER_HOME`` if set, else a folder inside the home."""
        given = os.environ.get("DAGSTER_HOME")
        return Path(given) if given else self.root / "dagster"

    def free_bytes(self) -> int:
        """Room on the disk that the home is, or will be, on."""
        existing = self.root
        while not existing.exists():
            existing = existing.parent
        return shutil.disk_usage(existing).free

    def full_disk(self) -> str:
        """What to say where that disk is full: where, how full, and what to do."""
        return (
            f"the disk of the home {self.root} is full ({self.free_bytes() / 2**20:.1f} MiB free); "
            "free some space, or point ARES_HOME at a disk that has some, and run the same command "
            "again: what was finished is kept"
        )

    def create(self) -> None:
        """Make the folders and Dagster's configuration; safe to call again.

        Raises
        ------
        BadInput
            If the home cannot be written.
        """
        folders = (self.catalogue, self.inbox, self.artifacts, self.releases, self.cache)
        try:
            for folder in (*folders, self.locks, self.runs, self.mlflow, self.dagster):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"the home {self.root} cannot be made: {error.strerror}; allowed: an ARES_HOME "
                "that can be written"
            ) from error
        configuration = self.dagster / "dagster.yaml"
        if not configuration.exists():
            from ares_resources.storage.atomic import write_bytes

            write_bytes(configuration, _DAGSTER_YAML.encode())
