"""What Dagster says that is not so here.

Belongs here: which of its log lines are kept from a terminal, and why.  Does not belong here:
anything that a run says of itself.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

# Of a step that was skipped, and whose checks therefore said nothing, it warns that the step
# after it "will proceed without gating"; the next line of its code skips that step, too.
_SPEAKER = "dagster._core.execution.plan.active"
_FALSE = "will proceed without gating on it"


@contextlib.contextmanager
def without_false_alarms() -> Iterator[None]:
    """Within this context that warning is not logged; all others are."""
    logger = logging.getLogger(_SPEAKER)

    def is_true(record: logging.LogRecord) -> bool:
        return _FALSE not in record.getMessage()

    logger.addFilter(is_true)
    try:
        yield
    finally:
        logger.removeFilter(is_true)
