"""What a clever engineer with a deadline would try, as small commits, and what stops each of them.

Each module holds the cases of some classes; `CASES` has all of them. `docs/review_cases.py` writes
them as the table of docs/review.md.
"""

from manipulations import (
    approval,
    executions,
    judge,
    lines,
    origins,
    protected,
    results,
    waivers,
)
from manipulations.case import Case, registered

__all__ = ["CASES", "Case"]

_MODULES = (results, origins, judge, executions, lines, protected, waivers, approval)
CASES: tuple[Case, ...] = registered()
