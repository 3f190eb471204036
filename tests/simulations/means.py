"""Differences of means of many measures: false alarms, power and simultaneous intervals of the max-T test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from rows import Row, at_least, at_most, covered_share, share, sizes_name, stream

from fairfer.stats.mean_differences import MeanDifferences, mean_differences
from fairfer.stats.pixel_differences import pixel_differences

NULL = "many means: equal groups have any significant difference in at most 5 %"
OTHERS = "many means: where one differs, any other is called significant in at most 5 %"
OTHERS_GROUPS = "many means: where one group differs, any pair of the others is called different in at most 5 %"
POWER = "many means: a difference of 0.8 standard deviations is significant in at least 80 %"
COVERS = "many means: the simultaneous 95 % intervals all cover"
PIXELS = "many means: equal groups have any significant pixel in at most 5 %"
PERMUTATIONS = 199

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
SHAPES: dict[str, Draw] = {
    "normal": lambda g, shape: g.normal(size=shape),
    "heavy tails (t with 2 degrees of freedom)": lambda g, shape: g.standard_t(2, size=shape),
    "skewed": lambda g, shape: g.exponential(size=shape),
    "3 % of faces above 0": lambda g, shape: (g.random(shape) < 0.03) * g.exponential(size=shape),
    "shares of nine regions": lambda g, shape: g.dirichlet(np.full(shape[1], 0.5), shape[0]),
}
SIZES = ((60, 60), (20, 200), (25, 50, 100, 800))


@dataclass(frozen=True)
class Subjects:
    """Subjects of each group, samples of each of these, and the correlation within subjects."""

    subjects: tuple[int, ...]
    samples: tuple[int, ...]
    correlation: float

    def __str__(self) -> str:
        each = ", ".join(f"{k} x {n}" for k, n in zip(self.subjects, self.samples, strict=True))
        return f"subjects {each}, correlation {self.correlation:g}"

    def draw(self, generator: np.random.Generator, measures: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, groups and subjects of samples."""
        subject = np.repeat(np.arange(sum(self.subjects)), np.repeat(self.samples, self.subjects))
        group = np.repeat(np.arange(len(self.subjects)), np.multiply(self.subjects, self.samples))
        own = generator.normal(size=(sum(self.subjects), measures))[subject]
        single = generator.normal(size=(len(subject), measures))
        return np.sqrt(self.correlation) * own + np.sqrt(1 - self.correlation) * single, group, subject


CLUSTERED = (
    Subjects((5, 5), (40, 40), 0.5),
    Subjects((10, 10), (30, 5), 0.3),
    Subjects((6, 30), (20, 20), 0.1),
    Subjects((30, 6), (60, 3), 0.1),
    Subjects((20, 20, 20), (10, 10, 10), 0.5),
)


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Equal groups, groups with other variances, strata and subjects; a planted difference; pixels."""
    repetitions = 60 if short else 1000
    for sizes in SIZES:
        for name, draw in SHAPES.items():
            measures = 9 if name.startswith("shares") else 40
            setting = f"{sizes_name(sizes)}, {measures} measures, {name}"
            generator = stream(seed, "means", setting)
            group = np.repeat(np.arange(len(sizes)), sizes)
            shape = (len(group), measures)
            yield _null(setting, [_test(draw(generator, shape), group, generator) for _ in range(repetitions)])
    for factor in (3, 1 / 3):
        setting = f"20 vs. 200, 20 measures, the small group with {factor:.2g} times the standard deviation"
        generator = stream(seed, "means", setting)
        group = np.repeat([0, 1], [20, 200])
        scale = np.where(group == 0, factor, 1)[:, None]
        tests = [_test(scale * generator.normal(size=(220, 20)), group, generator) for _ in range(repetitions)]
        yield _null(setting, tests)
    for design in CLUSTERED:
        generator = stream(seed, "means", design)
        drawn = (design.draw(generator, 20) for _ in range(repetitions))
        yield _null(f"{design}, 20 measures", [_test(v, g, generator, subject=s) for v, g, s in drawn])
    yield from _strata(seed, repetitions)
    yield from _another_group(seed, repetitions)
    yield from _planted(seed, repetitions)
    yield from _pixels(seed, repetitions // 5)


def _test(values: np.ndarray, group: np.ndarray, generator: np.random.Generator, **further: np.ndarray) -> MeanDifferences:
    return mean_differences(values, group, generator=generator, permutations=PERMUTATIONS, **further)


def _null(setting: str, tests: list[MeanDifferences]) -> Row:
    return at_most(NULL, "equal groups", setting, *share(np.array([t.p_of_any < 0.05 for t in tests])))


def _strata(seed: int, repetitions: int) -> Iterator[Row]:
    """Strata whose means differ by two standard deviations, and of which the groups have other shares."""
    setting = "200 vs. 200, 20 measures, strata with other means"
    generator = stream(seed, "means", setting)
    stratum = np.repeat([0, 1], 200)
    group = np.concatenate([np.arange(200) < 150, np.arange(200) < 50]).astype(int)
    drawn = (2.0 * stratum[:, None] + generator.normal(size=(400, 20)) for _ in range(repetitions))
    yield _null(setting, [_test(v, group, generator, stratum=stratum) for v in drawn])
    design = Subjects((15, 15), (12, 12), 0.3)
    setting = f"{design}, 20 measures, strata with other means"
    generator = stream(seed, "means", setting)
    tests = []
    for _ in range(repetitions):
        values, group, subject = design.draw(generator, 20)
        stratum = (generator.random(len(group)) < np.where(group == 0, 0.75, 0.25)).astype(int)
        tests.append(_test(values + 2.0 * stratum[:, None], group, generator, subject=subject, stratum=stratum))
    yield _null(setting, tests)


def _another_group(seed: int, repetitions: int) -> Iterator[Row]:
    """Three equal groups beside one that differs in all measures: the pairs of the equal ones."""
    for sizes in ((50, 50, 50, 500), (25, 100, 400, 30)):
        setting = f"{sizes_name(sizes)}, 20 measures, the last group differs by 2"
        generator = stream(seed, "means", setting)
        group = np.repeat(np.arange(4), sizes)
        hits = []
        for _ in range(repetitions):
            test = _test(generator.normal(size=(len(group), 20)) + 2.0 * (group == 3)[:, None], group, generator)
            pairs = (test.comparisons.one < 3) & (test.comparisons.other < 3)
            hits.append((test.p[pairs] < 0.05).any())
        yield at_most(OTHERS_GROUPS, "other groups", setting, *share(np.array(hits)))


def _planted(seed: int, repetitions: int) -> Iterator[Row]:
    for sizes, design in (((100, 100), None), ((40, 400), None), (None, Subjects((40, 40), (5, 5), 0.2))):
        generator = stream(seed, "means planted", sizes, design)
        truth = np.zeros(40)
        truth[7] = 0.8
        found, others, covered = [], [], []
        for _ in range(repetitions):
            if design is None:
                group = np.repeat([0, 1], sizes)
                values, further = generator.normal(size=(len(group), 40)), {}
            else:
                values, group, subject = design.draw(generator, 40)
                further = {"subject": subject}
            test = _test(values + (group == 0)[:, None] * truth, group, generator, **further)
            significant = test.p[0] < 0.05
            found.append(significant[7])
            others.append(np.delete(significant, 7).any())
            covered.append(((test.low[0] <= truth) & (truth <= test.high[0])).all())
        setting = f"{sizes_name(sizes) if sizes else design}, 40 measures, one differs by 0.8"
        yield at_least(POWER, "power", setting, 0.8, *share(np.array(found)))
        yield at_most(OTHERS, "other measures", setting, *share(np.array(others)))
        yield covered_share(COVERS, "simultaneous intervals", setting, *share(np.array(covered)))


def _pixels(seed: int, repetitions: int) -> Iterator[Row]:
    """Smooth maps: neighboring pixels are alike."""
    setting = "60 vs. 60, 24 x 24 pixels, smooth"
    generator = stream(seed, "pixels")
    group = np.repeat([0, 1], 60)
    hits = []
    for _ in range(repetitions):
        coarse = generator.normal(size=(120, 6, 6)).repeat(4, axis=1).repeat(4, axis=2)
        maps = coarse + 0.2 * generator.normal(size=(120, 24, 24))
        hits.append(pixel_differences(maps, group, generator=generator, permutations=PERMUTATIONS).significant.any())
    yield at_most(PIXELS, "pixels", setting, *share(np.array(hits)))
