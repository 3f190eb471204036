"""Every title and sentence with a number or an extreme, held against the table of the same figure, on random audits."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache

import numpy as np
import pandas as pd
import pytest

import fairfer
from fairfer.report.figures import canvas, draw
from fairfer.report.figures.model_comparison import draw_changes
from fairfer.report.tables.comparison import changes_table, gap_changes_table
from fairfer.report.tables.gaps import gaps_table
from fairfer.report.text.comparison import comparison_summary, lines
from fairfer.report.text.findings import gap_findings, headline, overall
from fairfer.report.text.numbers import rate, signed
from fairfer.report.view import View
from fairfer.vocabulary import LOWER_IS_BETTER, UNANNOTATED

SEEDS, MORE_SEEDS = range(16), range(16, 32)
NAMES = ("bored", "eager", "keen", "wary")
KINDS = ("overview", "gaps", "rate", "label", "bars", "confusions", "score_metric", "reliability", "composition", "association")
UNIT = r"(?:[<>]?\d\.\d+)"
EN = "\N{EN DASH}"


@pytest.fixture(autouse=True)
def _no_files(monkeypatch):
    """Titles need no drawing."""
    monkeypatch.setattr(canvas.Canvas, "files", lambda _: (b"", b""))


@cache
def random_audit(seed):
    """A small audit: ties, small, single and unannotated groups, labels without faces, all right or all wrong."""
    generator = np.random.default_rng(seed)
    n = int(generator.choice([30, 60, 150, 600, 1500]))
    names = list(NAMES[: generator.integers(2, 5)])
    truth = generator.choice(names[: int(generator.integers(1, len(names) + 1))] if seed % 5 == 0 else names, n)
    groups = {}
    for attribute in ("side", "site")[: generator.integers(1, 3)]:
        levels = ["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8", "i9", "j10"][: generator.choice([1, 2, 2, 3, 4, 10])]
        shares = generator.dirichlet([1.0] * len(levels))
        column = generator.choice(levels, n, p=shares).astype(object)
        if generator.random() < 0.5:
            column[generator.random(n) < generator.choice([0.02, 0.3])] = None
        groups[attribute] = column
    accuracy = float(generator.choice([0.0, 0.5, 0.7, 0.97, 1.0], p=[0.1, 0.2, 0.3, 0.25, 0.15]))
    share = np.full(n, accuracy)
    if generator.random() < 0.6:
        share[(next(iter(groups.values())) == "a1") & (truth == names[0])] = 0.1
    predicted = np.where(generator.random(n) < share, truth, np.roll(names, 1)[[names.index(t) for t in truth]]).astype(object)
    options = {"minimum": int(generator.choice([2, 10, 20])), "permutations": 200, "date": "2026-11-25"}
    options["by"] = [*groups, ",".join(groups)] if len(groups) > 1 and generator.random() < 0.5 else list(groups)
    if generator.random() < 0.25:
        options["subjects"] = [f"s{i}" for i in generator.integers(0, max(n // 4, 2), n)]
    if seed % 8 == 7:
        decisions = pd.DataFrame({name: (predicted == name).astype(int) for name in names})
        labels = pd.DataFrame({name: ((truth == name) | (generator.random(n) < 0.2)).astype(int) for name in names})
        return fairfer.audit(labels, decisions, groups=groups, **options)
    if seed % 4 == 1:
        columns = [names.index(p) for p in predicted]
        scores = np.full((n, len(names)), 0.3 / len(names))
        scores[np.arange(n), columns] += generator.choice([0.2, 0.7], n)
        return fairfer.audit(truth, groups=groups, scores=pd.DataFrame(scores, columns=names), **options)
    if generator.random() < 0.3:
        predicted[generator.random(n) < 0.1] = None
    return fairfer.audit(truth, predicted, groups=groups, labels=names, **options)


@cache
def view_of(seed):
    return View(random_audit(seed))


def pictures_of(seed, kind):
    return [p for p in draw(view_of(seed), [kind]) if p.kind == kind]


def share(cell):
    """The exact rate of a cell with its numerator and denominator; ``None`` where it takes no part in extremes."""
    counts = re.search(r"\(([\d,]+)/([\d,]+)\)", cell)
    if counts is None or "too few" in cell:
        return None
    return Fraction(*(int(c.replace(",", "")) for c in counts.groups()))


def is_annotated(group):
    return UNANNOTATED not in group.split(", ")


def shown(value, text):
    """Whether a number in a sentence is this value, with at least two decimals."""
    if text[0] in "<>":
        return (0 < value < float(text[1:])) if text[0] == "<" else float(text[1:]) < value < 1
    return abs(float(value) - float(text)) <= 0.5 * 10 ** -len(text.split(".")[1]) + 1e-12


def check_ends(values, text_of_low, low, text_of_high, high):
    """The named ones are exactly those with the smallest and the largest value."""
    for ends, text, named in ((min(values.values()), text_of_low, low), (max(values.values()), text_of_high, high)):
        assert shown(ends, text), (ends, text)
        tied = sorted(name for name, value in values.items() if value == ends)
        assert sorted(named) == tied or named == [f"#{len(tied)}"], (named, tied)


def listed_names(text, separator):
    """The names in a list, or their number: ``4 emotions`` is ``["#4"]``."""
    if number := re.fullmatch(r"(\d+) \w+", text):
        return [f"#{number[1]}"]
    return re.split(separator, text)


LIST = r",? and |, "


def check_rate(view, picture):
    """Rows are groups, columns labels; the first row is everyone, unless the title is about groups."""
    name, rows = picture.table.caption[:3], picture.table.rows
    if rows[0][1] != "everyone":
        check_rate_of_groups(view, picture, name)
        return
    values = {c: v for c, cell in zip(picture.table.columns[2:], rows[0][2:], strict=True) if (v := share(cell)) is not None}
    text = picture.title.removeprefix(f"{name} over all faces: ")
    assert text != picture.title
    check_extremes(view, values, text)


def check_rate_of_groups(view, picture, name):
    """A page without everyone: the label for which the groups of each grouping differ most."""
    statements = {}
    for grouping in dict.fromkeys(r[0] for r in picture.table.rows):
        rows = [r for r in picture.table.rows if r[0] == grouping and is_annotated(r[1])]
        ranges = {}
        for i, label in enumerate(picture.table.columns[2:], 2):
            values = [v for r in rows if (v := share(r[i])) is not None]
            if len(values) > 1:
                ranges[label] = min(values), max(values)
        if ranges:
            statements[by_name(grouping)] = ranges
    if not statements:
        assert picture.title.endswith("too few faces to compare groups")
        return
    parts = picture.title.casefold().split("; ")
    for (grouping, ranges), part in zip(statements.items(), parts, strict=True):
        text = part.removeprefix(f"by {grouping}, {name.casefold()} ")
        assert text != part
        check_spread(view, ranges, text)


def check_extremes(view, values, text):
    all_labels = len(values) == len(view.labels)
    if not values:
        assert text == f"too few faces of every {view.noun}"
    elif len(set(values.values())) == 1:
        value, _, what = text.partition(" for ")
        assert shown(next(iter(values.values())), value)
        every = view.labels[0] if len(view.labels) == 1 else f"every {view.noun}"
        assert what == (every if all_labels else f"every {view.noun} with enough faces")
    else:
        prefix = "" if all_labels else f"of {view.noun}s with enough faces, "
        assert text.startswith(prefix)
        match = re.fullmatch(
            rf"(.*) (?:is|are) .* most often.* \(({UNIT})\), (.*) least often \(({UNIT})\)", text[len(prefix) :]
        )
        check_ends(values, match[4], listed_names(match[3], LIST), match[2], listed_names(match[1], LIST))


def check_label(view, picture):
    """Rows are groups, columns the four rates; the title is about TPR and FPR of one grouping."""
    rows = picture.table.rows
    if match := re.fullmatch(r".*: TPR (\S+), FPR (\S+) over all faces", picture.title):
        everyone = rows[0]
        for text, cell in ((match[1], everyone[2]), (match[2], everyone[3])):
            assert cell.startswith(text)
        for grouping in {r[0] for r in rows[1:]}:
            for column in (2, 3):
                assert sum(share(r[column]) is not None and is_annotated(r[1]) for r in rows if r[0] == grouping) <= 1
        return
    match = re.fullmatch(r".* by (.*?): (.*)", picture.title)
    if match[2] == "too few faces to compare groups":
        assert rows[0][1] != "everyone"
        assert not any(len([r for r in rows if is_annotated(r[1]) and share(r[i]) is not None]) > 1 for i in (2, 3))
        return
    grouping = next(r[0] for r in rows if by_name(r[0]) == match[1])
    statements = re.findall(r"(TPR|FPR) (.*?)(?=, (?:TPR|FPR) |$)", match[2])
    assert statements
    for name, text in statements:
        column = picture.table.columns.index(name)
        values = {r[1]: v for r in rows if r[0] == grouping and is_annotated(r[1]) and (v := share(r[column])) is not None}
        if equal := re.fullmatch(rf"({UNIT}) for each of (\d+) compared groups", text):
            assert set(map(float, values.values())) == {float(next(iter(values.values())))}
            assert shown(next(iter(values.values())), equal[1])
            assert len(values) == int(equal[2])
            continue
        ends = re.fullmatch(rf"({UNIT}) \((.*?)\) to ({UNIT}) \((.*?)\)", text)
        check_ends(values, ends[1], listed_names(ends[2], "; "), ends[3], listed_names(ends[4], "; "))


def by_name(cell):
    """``side and site`` of a cell such as ``side and site (source not stated)``."""
    return cell.removesuffix(" (source not stated)")


def spreads(table, name):
    """Smallest and largest rate of the compared groups, by label."""
    groups = table.columns[2:-2]
    result = {}
    for row in table.rows:
        if row[1] == name:
            values = [v for g, c in zip(groups, row[2:-2], strict=True) if is_annotated(g) and (v := share(c)) is not None]
            if len(values) > 1:
                result[row[0]] = min(values), max(values)
    return result


def check_bars(view, picture):
    found = {name: s for name in ("TPR", "FPR") if (s := spreads(picture.table, name))}
    if not found:
        assert picture.title.endswith(": too few faces to compare groups")
        return
    texts = dict(re.findall(r"(TPR|FPR) ((?:of all|differs).*?)(?=, (?:TPR|FPR) |$)", picture.title))
    assert texts.keys() == found.keys()
    for name, ranges in found.items():
        check_spread(view, ranges, texts[name])


def check_spread(view, ranges, text):
    """For which label the smallest and the largest rate of the groups differ most."""
    widths = {label: high - low for label, (low, high) in ranges.items()}
    widest = sorted(label for label, width in widths.items() if width == max(widths.values()))
    if max(widths.values()) == 0:
        every = view.labels[0] if len(view.labels) == 1 else f"every {view.noun}"
        if len(ranges) < len(view.labels):
            every = f"every {view.noun} with enough faces"
        assert text == f"of all groups is equal for {every}"
    elif one := re.fullmatch(rf"differs most for (.*) \(({UNIT}) to ({UNIT})\)", text):
        assert [one[1]] == widest
        assert all(map(shown, ranges[one[1]], (one[2], one[3])))
    else:
        tied = re.fullmatch(rf"differs most for (.*) \(by ({UNIT})\)", text)
        assert sorted(listed_names(tied[1], LIST)) == widest or tied[1] == f"{len(widest)} {view.noun}s"
        assert shown(max(widths.values()), tied[2])


SIDES = r"group \N{LEFT SINGLE QUOTATION MARK}(.*?)\N{RIGHT SINGLE QUOTATION MARK}"


def side_values(sentence, rates):
    """Rates of the two sides of a sentence about people in groups, from exact rates by group (hits, trials)."""
    groups = re.findall(SIDES, sentence)
    one = rates[groups[0]]
    others = [rates[groups[1]]] if len(groups) > 1 else [v for g, v in rates.items() if g != groups[0]]
    assert (len(groups) == 1) == (" groups together" in sentence)
    return Fraction(*one), Fraction(sum(k for k, _ in others), sum(n for _, n in others))


def check_direction(sentence, rates):
    one, other = side_values(sentence, rates)
    more = " more often " in sentence or " higher " in sentence
    assert more != (" less often " in sentence or " lower " in sentence)
    assert one > other if more else one < other


def compared(row, columns):
    """(hits, trials) of the compared groups in a row of a table."""
    result = {}
    for group, cell in zip(columns, row, strict=True):
        if is_annotated(group) and share(cell) is not None:
            result[group] = tuple(int(c.replace(",", "")) for c in re.search(r"\(([\d,]+)/([\d,]+)\)", cell).groups())
    return result


def is_below(q):
    """Whether a cell of a table shows an FDR-adjusted p-value below 0.05."""
    return q == "<0.05" or (q != EN and float(q.strip("<>")) < 0.05)


def check_overview(view, picture):
    table = picture.table
    significant = [r for r in table.rows if is_below(r[-1])]
    tested = [r for r in table.rows if r[-1] != EN]
    if significant:
        name = "FPR" if "misclassified as" in picture.title else "TPR"
        label = re.search(r"(?:labeled|misclassified as) .(\w+)", picture.title)[1]
        [row] = [r for r in significant if (r[0], r[1]) == (label, name)]
        check_direction(picture.title, compared(row[2:-2], table.columns[2:-2]))
    elif tested:
        assert re.fullmatch(r"No TPR or FPR gap by .* is statistically significant(; \d+ (is|are) borderline)?", picture.title)
    else:
        assert re.fullmatch(r"No TPR or FPR gap by .* could be tested: .*", picture.title)
        several = [r for r in table.rows if len(compared(r[2:-2], table.columns[2:-2])) > 1]
        assert picture.title.endswith(": none could be significant") == bool(several)


def check_gaps(view, picture):
    results = [r[-1] for r in picture.table.rows]
    significant = sum(r.startswith("significant") for r in results)
    tested = significant + sum(r.startswith("not significant") for r in results)
    borderline = sum(r.endswith("borderline") for r in results)
    match = re.fullmatch(
        r"(\d+|None) of (\d+) tested gaps? (is|are) statistically significant(?:; (\d+) (?:is|are) borderline)?"
        r"(?:; the first \d+ are shown)?",
        picture.title,
    )
    assert (int(match[1].replace("None", "0")), int(match[2]), int(match[4] or 0)) == (significant, tested, borderline)
    for row in picture.table.rows:
        q = row[6]
        assert is_below(q) == row[-1].startswith("significant")
        assert (q == EN) == row[-1].startswith(("cannot be", "not tested"))


def check_composition(view, picture):
    """Every face has one row of the first grouping."""
    table = picture.table
    rows = [r for r in table.rows if r[0] == table.rows[0][0]]
    totals = {n: sum(int(r[i].replace(",", "")) for r in rows) for i, n in enumerate(table.columns[2:-1], 2)}
    groupings = "; ".join(dict.fromkeys(by_name(r[0]) for r in table.rows))
    first, *rest = picture.title.removesuffix(f" ({groupings})").split("; ")
    if len(set(totals.values())) == 1:
        every = view.labels[0] if len(view.labels) == 1 else f"every {view.noun}"
        assert first == f"{next(iter(totals.values())):,} faces of {every}"
    else:
        match = re.fullmatch(
            r"(.*) (?:is|are) the most frequent \w+ \(([\d,]+) faces?\), (.*) the least frequent \(([\d,]+)\)", first
        )
        most = [n if n[0] == "#" else n.casefold() for n in listed_names(match[1], LIST)]
        for named, text, end in ((listed_names(match[3], LIST), match[4], min), (most, match[2], max)):
            value = end(totals.values())
            tied = sorted(n for n, v in totals.items() if v == value)
            assert sorted(named) == tied or named == [f"#{len(tied)}"]
            assert int(text.replace(",", "")) == value
    if rest:
        sizes = [f"{r[-1]} {r[1]}" for r in rows]
        assert listed_names(rest[0], r",? and |(?<!\d), ") == sizes or re.split(r", and | and |, ", rest[0]) == sizes


def check_confusions(view, picture):
    table = picture.table
    errors = {}
    for row in table.rows:
        counts = [int(m[1].replace(",", "")) if (m := re.search(r"\(([\d,]+)\)", c)) else 0 for c in row[2:]]
        if sum(counts) >= view.audit.plan.minimum and is_annotated(row[0]):
            errors |= {
                (row[0], row[1], c): Fraction(k, sum(counts))
                for c, k in zip(table.columns[2:], counts, strict=True)
                if c != row[1]
            }
    text = picture.title.partition(": ")[2]
    if "of the groups shown" in picture.title:
        return
    if not errors:
        assert text == "too few faces"
    elif not max(errors.values()):
        assert text == "none among true labels with enough faces"
    else:
        worst = [key for key, value in errors.items() if value == max(errors.values())]
        if tied := re.fullmatch(rf"(\d+) are equally frequent \(({UNIT})\) and none is more frequent", text):
            assert int(tied[1]) == len(worst) > 1
            assert shown(max(errors.values()), tied[2])
            return
        match = re.fullmatch(
            rf"the most frequent is (\w+) (?:classified as (\w+)|without a prediction) \((?:(.*), )?({UNIT})\)", text
        )
        assert worst == [(match[3], match[1], match[2] or "no answer")]
        assert shown(max(errors.values()), match[4])


def check_scores(view, picture):
    table = picture.table
    values = {
        (row[1], row[0]): float(row[2])
        for row in table.rows
        if row[2] != EN and row[2][0] not in "<>" and not row[4] and is_annotated(row[1])
    }
    match = re.fullmatch(
        rf".*: highest for (.*) \((?:(.*), )?({UNIT})\), lowest for (.*) \((?:(.*), )?({UNIT})\)", picture.title
    )
    if match is None:
        assert "too few faces" in picture.title or len(set(values.values())) <= 1
        return
    for label, group, text, end in ((match[1], match[2], match[3], max), (match[4], match[5], match[6], min)):
        if text[0] in "<>" or "of the groups shown" in picture.title:
            continue
        assert abs(float(text) - end(values.values())) <= 0.0051
        if not re.match(r"\d+ pairs", label):
            assert abs(values[group, label] - end(values.values())) <= 0.0051


def check_reliability(view, picture):
    if "too few faces" in picture.title:
        return
    match = re.fullmatch(rf"Calibration: the expected calibration error is largest for (.*) \(({UNIT})\)", picture.title)
    errors = {
        m.label: m.value
        for m in view.audit.scores
        if m.metric == "expected_calibration_error" and not m.attribute and m.value is not None
    }
    drawn = {
        label: sum(int(r[-1].split("/")[1].replace(",", "")) for r in picture.table.rows if r[0] == label) for label in errors
    }
    errors = {label: e for label, e in errors.items() if drawn[label] >= view.audit.plan.minimum}
    assert all(errors[n] == pytest.approx(max(errors.values())) for n in re.split(LIST, match[1]))
    assert shown(max(errors.values()), match[2])


def check_association(view, picture):
    table = picture.table
    rows = [
        (r, float(r[4].replace("\N{MINUS SIGN}", "-")))
        for r in table.rows
        if int(r[3].replace(",", "")) >= view.audit.plan.minimum
    ]
    if not rows:
        assert picture.title == f"Association of {view.noun} and group"
        return
    value = max(v for _, v in rows)
    top = [r for r, v in rows if v == value]
    if match := re.fullmatch(r"(\w+) is most over-represented among .*" + SIDES + r".* \(Ducher's Z (\S+)\)", picture.title):
        assert (match[2], match[1].casefold()) in {(r[1], r[2]) for r in top}
        assert match[3] == top[0][4]
    elif match := re.match(r"(\d+) pairs of .*\(Ducher's Z (\S+)\), none more", picture.title):
        assert 1 < int(match[1]) <= len(top)
        assert match[2] == top[0][4] != "0.00"
    else:
        assert picture.title == f"No {view.noun} with enough faces is over-represented in a group"
        assert value <= 0


CHECKS = {
    "overview": check_overview,
    "gaps": check_gaps,
    "rate": check_rate,
    "label": check_label,
    "bars": check_bars,
    "confusions": check_confusions,
    "score_metric": check_scores,
    "reliability": check_reliability,
    "composition": check_composition,
    "association": check_association,
}


@pytest.mark.parametrize("seeds", [SEEDS, pytest.param(MORE_SEEDS, marks=pytest.mark.slow)], ids=["few", "many"])
@pytest.mark.parametrize("kind", CHECKS)
def test_titles_agree_with_their_tables(kind, seeds):
    drawn = 0
    for seed in seeds:
        for picture in pictures_of(seed, kind):
            drawn += 1
            try:
                CHECKS[kind](view_of(seed), picture)
            except (AssertionError, KeyError, TypeError, IndexError, StopIteration, ValueError) as error:
                rows = "\n".join(" | ".join(r) for r in picture.table.rows)
                pytest.fail(f"seed {seed}: {picture.title!r}\n{error!r}\n{' | '.join(picture.table.columns)}\n{rows}")
    assert drawn >= 3, "the random audits have such figures"


@pytest.mark.parametrize("seed", [*SEEDS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MORE_SEEDS)])
def test_findings_agree_with_the_counts(seed):
    """Statement, rates, counts, significance and bounds, against rates.csv and the gaps."""
    view = view_of(seed)
    audit = view.audit
    counts = {(r.label, r.rate, r.attribute, r.group): r for r in audit.rates}
    significant = [g for g in audit.gaps if g.q is not None and g.q < 0.05]
    findings = gap_findings(view)
    assert bool(significant) == any(f.gap for f in findings)
    assert ("No gap" in findings[0].statement or "No groups" in findings[0].statement) == (not significant)
    for finding in findings:
        gap = finding.gap
        if gap is None:
            if "closest to significance" not in finding.rates:
                continue
            gap = min((g for g in audit.gaps if g.p is not None and g.leading.difference), key=lambda g: g.p)
        rates = {
            ", ".join(g): (r.numerator, r.denominator)
            for g in gap.groups
            if (r := counts[gap.label, gap.rate, gap.attribute, g]) is not None
        }
        text = finding.statement if finding.gap else finding.rates
        check_direction(text, rates)
        one, other = side_values(text, rates)
        first, second = re.search(rf"({UNIT}) vs\. ({UNIT})", finding.rates).groups()
        assert shown(one, first)
        assert shown(other, second)
        numbers = [int(x.replace(",", "")) for x in re.findall(r"[\d,]+", finding.counts)]
        assert (Fraction(*numbers[:2]), Fraction(*numbers[2:])) == (one, other)
        if finding.gap is None:
            upper = re.search(rf"no two groups differ by more than ({UNIT})", finding.certainty)[1]
            assert shown(gap.high, upper)
            assert gap.high >= gap.difference - 1e-9
            continue
        size, low, high = re.search(rf"difference ({UNIT}) \(({UNIT}){EN}({UNIT})\)", finding.certainty).groups()
        assert shown(abs(one - other), size)
        assert float(low.strip("<>")) <= abs(one - other) + 0.005
        assert abs(one - other) <= float(high.strip("<>")) + 0.0051
    text = headline(view)
    if significant:
        tested = sum(g.p is not None for g in audit.gaps)
        assert text.startswith(f"{len(significant)} of {tested} tested gap")


@pytest.mark.parametrize("seed", [*SEEDS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MORE_SEEDS)])
def test_the_lowest_group_is_the_lowest(seed):
    view = view_of(seed)
    match = re.search(rf"Lowest group ({UNIT}) \((?:(\d+) groups are equal|(.*?): (.*?); .*?)\)", overall(view))
    rows = [
        r
        for r in view.audit.rates
        if r.rate == view.accuracy and r.attribute and r.status == "ok" and UNANNOTATED not in r.group
    ]
    if len(rows) < 2:
        assert match is None
        return
    lowest = [r for r in rows if r.value == min(r.value for r in rows)]
    assert match[1] == rate(lowest[0].value)
    assert [int(match[2])] == [len(lowest)] if match[2] else match[4] == ", ".join(lowest[0].group)


def test_the_random_audits_are_of_every_kind():
    """Significant and not, few and many groups, unannotated groups, equal rates, several labels per face, subjects, scores."""
    audits = [random_audit(seed) for seed in SEEDS]
    assert 5 < sum(any(g.significant for g in a.gaps) for a in audits) < len(audits) - 5
    assert any(d.significant and d is g.leading and d.reference is None for a in audits for g in a.gaps for d in g.differences)
    assert {a.task for a in audits} == {"single-label", "multi-label"}
    assert {g.status for a in audits for g in a.gaps} == {"ok", "too_few_groups", "no_variation"}
    assert any(a.data.subjects for a in audits)
    assert any(a.scores for a in audits)
    assert any(UNANNOTATED in r.group for a in audits for r in a.rates)
    assert any(r.status == "small" for a in audits for r in a.rates)
    assert any(len(View(a).groups(g)) == 1 for a in audits for g in View(a).groupings)
    assert any("cannot be significant" in row[-1] for a in audits for row in gaps_table(View(a)).rows)


def random_comparison(seed, folder):
    """Two models on the same faces; the candidate is worse in one group."""
    generator = np.random.default_rng(seed)
    n = int(generator.choice([60, 300, 900]))
    truth = generator.choice(NAMES[:3], n)
    side = generator.choice(["a1", "b2", "c3"], n, p=[0.5, 0.45, 0.05]).astype(object)
    side[generator.random(n) < 0.1] = None
    runs = []
    for name, worse in (("old", 0.9), ("new", generator.choice([0.5, 0.9, 1.0]))):
        share = np.where(side == "a1", worse, 0.9)
        predicted = np.where(generator.random(n) < share, truth, generator.choice(NAMES[:3], n))
        runs.append(folder / name)
        fairfer.audit(
            truth, predicted, groups={"side": side}, run=runs[-1], model_name=name, permutations=100, date="2026-11-25"
        ).write(runs[-1] / "audit.json")
    return fairfer.compare(*runs)


@pytest.mark.parametrize("seed", range(8))
def test_a_comparison_agrees_with_its_tables(seed, tmp_path):
    """The first line names both models; counts of changed rates and gaps, and the largest change, are those of the rows."""
    comparison = random_comparison(seed, tmp_path)
    first, *_ = comparison_summary(comparison).splitlines()
    assert re.search(r"candidate new .* vs\. base old .* on ", first)
    tested = [r for r in changes_table(comparison).rows if r[0] != "everyone" and re.fullmatch(r"[<>]?[\d.]+", r[-1])]
    changed = {"better": [], "worse": []}
    for row in tested:
        if is_below(row[-1]):
            size = float(row[7].split(" ")[0].replace("\N{MINUS SIGN}", "-"))
            changed["better" if (size > 0) == (row[3] not in LOWER_IS_BETTER) else "worse"].append((abs(size), row))
    texts = lines(comparison)
    match = next(m for t in texts if (m := re.match(r"Of (\d+) rates? of groups, (\d+) got .* worse and (\d+) sig", t)))
    assert tuple(map(int, match.groups())) == (len(tested), len(changed["worse"]), len(changed["better"]))
    if changed["worse"]:
        [text] = [t for t in texts if t.startswith("Largest significant change for the worse")]
        size = re.search(r"\(([+\N{MINUS SIGN}][\d.]+) \[", text)[1]
        assert abs(float(size.replace("\N{MINUS SIGN}", "-"))) == max(size for size, _ in changed["worse"])
    gaps = [r for r in gap_changes_table(comparison).rows if r[5] != EN]
    match = next(m for t in texts if (m := re.match(r"Of (\d+) gaps?, (\d+) became wider and (\d+) narrower", t)))
    ends = [re.search(r"\[(\S+) to (\S+)\]", r[5]).groups() for r in gaps]
    wider, narrower = sum(low[0] == "+" for low, _ in ends), sum(high[0] == "\N{MINUS SIGN}" for _, high in ends)
    assert tuple(map(int, match.groups())) == (len(gaps), wider, narrower)
    for picture in draw_changes(comparison):
        match = re.search(r"of (\d+) tested rates? \(TPR and FPR\), (\d+) significantly worse and (\d+) sign", picture.title)
        numbers = [sum(r[3] in ("TPR", "FPR") for r in tested)]
        numbers += [sum(r[3] in ("TPR", "FPR") for _, r in changed[way]) for way in ("worse", "better")]
        assert list(map(int, match.groups())) == numbers


@pytest.mark.parametrize("value", [0.0004, -0.0004, 0.99996, -0.99996, 0.3, -1.0, 1.0, 1e-5])
def test_a_signed_number_is_not_rounded_to_0_or_1(value):
    number = float(signed(value).replace("\N{MINUS SIGN}", "-"))
    assert number == pytest.approx(value, abs=0.005)
    assert (number in (0, 1, -1)) == (value in (1, -1))
