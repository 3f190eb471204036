"""Sample sizes of an audit before any data exist."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from fairfer.errors import UsageError
from fairfer.stats.sample_size import detectable_difference, sample_size_per_group

_LEAST_SIZE, _LEAST_POWER, _MOST_IMAGES = 2, 0.05, 1000
_LEAST_GROUPS, _MOST_GROUPS, _MOST_TESTS, _MOST_SIZE = 2, 100, 100_000, 1_000_000


@dataclass(frozen=True)
class SampleSizePlan:
    """Sample size, power and difference of a planned audit.

    Attributes
    ----------
    rate, difference
        Rate of all groups together, and true difference between two of them.
    groups, tests, power
        Number of groups; number of gaps that the audit tests; probability that the difference is reported.
    samples_per_group, subjects_per_group
        Sample size of each group; the number of subjects is ``None`` where each sample shows another one.
    images_per_subject, correlation
        Samples of each subject, and the correlation of their hits.
    """

    rate: float
    difference: float
    groups: int
    tests: int
    power: float
    samples_per_group: int
    subjects_per_group: int | None
    images_per_subject: int
    correlation: float

    def to_dict(self) -> dict[str, float | int | None]:
        """The attributes by name."""
        return asdict(self)


def plan_sample_size(
    rate: float,
    difference: float | None = None,
    *,
    size: int | None = None,
    groups: int = 2,
    tests: int = 1,
    power: float = 0.8,
    images_per_subject: int = 1,
    correlation: float | None = None,
) -> SampleSizePlan:
    """Sample size per group that a planned audit needs, or the difference that a sample size detects.

    Parameters
    ----------
    rate
        Expected rate of all groups together, such as a TPR.
    difference
        True difference between two of the groups, which differ around the rate as far as 0 and 1 allow; the others have it.
    size
        Instead of `difference`: samples per group in the denominator of the rate (for a TPR, faces with the label); subjects
        per group where `images_per_subject` is larger than 1.
    groups
        Number of groups of equal size.
    tests
        Number of gaps that the audit tests (labels x rates x attributes); it reports those with an FDR-adjusted p below 0.05.
    power
        Probability that the difference is reported, if no other gap is significant.
    images_per_subject, correlation
        Samples per subject, and the correlation of their hits, between 0 and 1.

    Returns
    -------
    SampleSizePlan

    Raises
    ------
    UsageError
        When a value is out of range, both or neither of `difference` and `size` are given, or nothing has this power.
    """
    _check(rate, difference, size, groups, tests, power, images_per_subject, correlation)
    images = images_per_subject if images_per_subject > 1 else None
    related = correlation or 0.0
    if difference is None:
        number = size or 0
        difference = detectable_difference(rate, number, groups, tests, power, images, related)
        if difference is None:
            message = f"no difference has a power of {power:g} with {number} per group; give a larger --size"
            raise UsageError(message)
    else:
        needed = sample_size_per_group(rate, difference, groups, tests, power, images, related)
        if needed is None:
            message = f"a difference of {difference:g} needs more than a million samples per group; give a larger --difference"
            raise UsageError(message)
        number = needed
    return SampleSizePlan(
        rate=rate,
        difference=difference,
        groups=groups,
        tests=tests,
        power=power,
        samples_per_group=number * images_per_subject,
        subjects_per_group=number if images is not None else None,
        images_per_subject=images_per_subject,
        correlation=related,
    )


def _check(
    rate: float,
    difference: float | None,
    size: int | None,
    groups: int,
    tests: int,
    power: float,
    images: int,
    correlation: float | None,
) -> None:
    def require(condition: object, message: str) -> None:
        if not condition:
            raise UsageError(message)

    require((difference is None) != (size is None), "give one of --difference and --size")
    require(0 < rate < 1, f"--rate {rate:g}: give a number above 0 and below 1")
    require(difference is None or 0 < difference < 1, f"--difference {difference}: give a number above 0 and below 1")
    require(size is None or _LEAST_SIZE <= size <= _MOST_SIZE, f"--size {size}: must be from 2 to {_MOST_SIZE:,}")
    require(_LEAST_GROUPS <= groups <= _MOST_GROUPS, f"--groups {groups}: must be from 2 to {_MOST_GROUPS}")
    require(1 <= tests <= _MOST_TESTS, f"--tests {tests}: must be from 1 to {_MOST_TESTS:,}")
    require(_LEAST_POWER < power < 1, f"--power {power:g}: must be between 0.05 and 1")
    require(1 <= images <= _MOST_IMAGES, f"--images-per-subject {images}: must be from 1 to 1000")
    require(correlation is None or 0 <= correlation <= 1, f"--correlation {correlation}: must be from 0 to 1")
    require(
        images == 1 or correlation is not None,
        "--images-per-subject needs --correlation, the correlation of the results of one subject; 0.2 is a usual value",
    )
    require(images > 1 or not correlation, "--correlation needs --images-per-subject above 1")
