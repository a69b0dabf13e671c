"""Which column of the windows' sums is what.

Belongs here: the order in which ``element_kernel`` writes.  Does not belong here: anything
that computes; naming a column must not load the compiler.
"""

ABSOLUTE, BIPOWER, LAGGED, RANGE, GARMAN_KLASS, SIGNED, WEIGHTED, VOLUME_SQUARE = range(8)
VOLUME, TURNOVER, ILLIQUIDITY, TRADED = range(4)
