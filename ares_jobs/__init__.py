"""How Ares is run: jobs, schedules, sensors, the command line, the training manager.

``defs`` and ``EnhancedTrainingManager`` are made on first use, so that importing this
package costs nothing; ``dagster job execute -m ares_jobs`` finds ``defs`` by its name.
"""

from typing import Any

__all__ = ["EnhancedTrainingManager", "defs"]


def __getattr__(name: str) -> Any:
    if name == "defs":
        from ares_jobs.definitions import defs

        return defs
    if name == "EnhancedTrainingManager":
        from ares_jobs.training_manager import EnhancedTrainingManager

        return EnhancedTrainingManager
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
