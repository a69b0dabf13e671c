"""How many threads linear algebra may use.

Belongs here: the limit on BLAS for a stretch of work.  Does not belong here: threads of learners
and of kernels, which take a number of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread; within it, code may ask for more by itself.

    Another number of threads sums in another order, which changes last digits, so results would
    depend on the machine.  And the matrices here are mostly small: a second thread that waits for
    them spends more than it saves.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    # Only libraries that are loaded can be told, and numpy and scipy bring one each.
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
