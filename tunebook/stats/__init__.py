"""Statistics of comparisons, as pure functions: how far a number, a difference and a ranking can be trusted.

`by_example` and `by_resample` take what a row of a table scored; `parts().estimate()` says how good it is, `paired`,
`unshared_seeds` and `independent` how it differs from another. Nothing here knows of runs.
"""

from tunebook.stats.budget import expected_maximum, expected_maximum_interval
from tunebook.stats.crossed import Covers, Estimate, Parts, Scores, Summary, by_example, by_resample, summary
from tunebook.stats.difference import (
    Difference,
    independent,
    paired,
    probability_larger,
    resampled_t,
    unshared_seeds,
)
from tunebook.stats.fixed_set import FixedSetTest, mcnemar, seeds_t, sign_flip
from tunebook.stats.proportion import wilson
from tunebook.stats.sensitivity import detectable_difference, power
from tunebook.stats.several import benjamini_hochberg, holm, tie_groups

__all__ = [
    "Covers",
    "Difference",
    "Estimate",
    "FixedSetTest",
    "Parts",
    "Scores",
    "Summary",
    "benjamini_hochberg",
    "by_example",
    "by_resample",
    "detectable_difference",
    "expected_maximum",
    "expected_maximum_interval",
    "holm",
    "independent",
    "mcnemar",
    "paired",
    "power",
    "probability_larger",
    "resampled_t",
    "seeds_t",
    "sign_flip",
    "summary",
    "tie_groups",
    "unshared_seeds",
    "wilson",
]
