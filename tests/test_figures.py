"""Figures: the registry, file names, axes and text; what figures of scores, calibration and confusions draw."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import colormaps
from matplotlib.colors import to_rgb

import fairfer.report.figures
from fairfer import audit
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset
from fairfer.labels import LabelSpace
from fairfer.metrics.results import ScoreMetric
from fairfer.predictions.predictions import Predictions
from fairfer.report.figures import FIGURES, canvas, confusions, draw, is_figure_file, reliability, score_metrics
from fairfer.report.figures.canvas import file_name, with_unique_names
from fairfer.report.figures.confusions import draw_confusions
from fairfer.report.figures.rate_axes import axis_ticks, round_axis_end
from fairfer.report.figures.rate_heatmaps import text_color
from fairfer.report.figures.reliability import draw_reliability
from fairfer.report.figures.score_metrics import draw_score_metrics
from fairfer.report.figures.style import COLORS, HEATMAP_COLORS, figure_style, group_styles
from fairfer.report.figures.text_layout import MAX_NAME_LENGTH, shorten, text_width, truncate, wrap
from fairfer.report.view import View, is_significant
from fairfer.vocabulary import NO_ANSWER

LABELS = ("neutral", "happiness", "fear")
SOURCES = sorted(Path(fairfer.report.figures.__file__).parent.glob("*.py"))


def make_audit(attributes, *, by, n=600):
    """An audit of random answers: happiness is recognized in 85 % of the first level's faces and in 40 % of the others'."""
    generator = np.random.default_rng(3)
    labels = LabelSpace.of("three", LABELS)
    index = pd.Index([f"s{i}" for i in range(n)], name="sample_id")
    samples = pd.DataFrame({"label": generator.choice(LABELS, n)}, index=index)
    for name, levels in attributes.items():
        samples[name] = generator.choice(levels, n)
    first, levels = next(iter(attributes.items()))
    share = np.where((samples["label"] == "happiness") & (samples[first] != levels[0]), 0.4, 0.85)
    predicted = np.where(generator.random(n) < share, samples["label"], generator.choice(LABELS, n)).astype(object)
    dataset = Dataset(
        name="made",
        labels=labels,
        samples=samples.astype("str"),
        attributes=tuple(Attribute(a, tuple(v), "annotated", "", "") for a, v in attributes.items()),
        steps=(),
        card={"layout": "made"},
    )
    rows = pd.DataFrame({"status": "ok", "predicted": predicted, "detail": "", "image": ""}, index=index)
    predictions = Predictions("made", "1", labels, {"kind": "made"}, dataset.images_digest, rows)
    return audit(dataset, predictions, by=by, date="2026-11-22", permutations=200)


@pytest.fixture(scope="module")
def one():
    """One attribute."""
    return make_audit({"gender": ["female", "male"]}, by=["gender"])


@pytest.fixture(scope="module")
def two():
    """Two attributes and their intersection."""
    return make_audit({"gender": ["female", "male"], "race": ["white", "black"]}, by=["gender", "race", "gender,race"])


@pytest.fixture(scope="module")
def many():
    """One attribute with twelve levels."""
    return make_audit({"age": [f"{10 * i}s" for i in range(12)]}, by=["age"], n=900)


# Registry and files


def test_each_kind_draws_figures_of_its_kind_with_file_names_of_its_kind(one):
    pictures = draw(one)
    assert {p.kind for p in pictures} <= set(FIGURES)
    assert {"overview", "gaps", "rate", "label", "bars", "composition", "association"} <= {p.kind for p in pictures}
    for picture in pictures:
        prefix = "emotion" if picture.kind == "label" else picture.kind.replace("_", "-")
        assert picture.name == prefix or picture.name.startswith(f"{prefix}-")
        assert is_figure_file(f"{picture.name}.svg")
        assert is_figure_file(f"{picture.name}.png")


def test_a_kind_that_the_audit_has_no_data_for_draws_nothing(two):
    assert draw(two, ["human_agreement", "accuracy_by_agreement", "annotation_error", "standardized_gaps"]) == []


def test_figures_of_one_kind_are_the_same_bytes_as_among_all(two):
    every = [p for p in draw(two, ["overview", "bars", "composition"]) if p.kind == "bars"]
    alone = draw(View(two), ["bars"])
    assert [(p.name, p.svg, p.png) for p in alone] == [(p.name, p.svg, p.png) for p in every]


def test_files_of_others_are_not_figure_files():
    assert not any(map(is_figure_file, ["my-own.png", "overview.txt", "ratex.png", "overview-../x.png", "sub/bars.png"]))


def test_figures_are_named_by_grouping(two):
    names = [p.name for p in draw(two, ["overview", "bars"])]
    assert names == [f"{kind}-{by}" for kind in ("overview", "bars") for by in ("gender", "race", "gender-race")]


def test_names_that_are_alike_in_ascii_are_numbered():
    attributes = {"\u6027": ["\u5973", "\u7537"], "\u5225": ["\u5973", "\u7537"]}
    pictures = draw(make_audit(attributes, by=list(attributes), n=200), ["overview"])
    names = [q.name for p in pictures for q in (p, p.narrow) if q]
    assert names == ["overview-x", "overview-x-narrow", "overview-x-2", "overview-x-2-narrow"]


@given(st.lists(st.sampled_from(["a", "a-2", "a-narrow", "a-2-2"]), max_size=8))
def test_unique_names_are_unique(names):
    picture = canvas.Picture("", "overview", "", "", None, b"", b"", (1, 1), 0)
    pictures = [canvas.replace(picture, name=n, narrow=canvas.replace(picture, name=n)) for n in names]
    unique = [q.name for p in with_unique_names(pictures) for q in (p, p.narrow)]
    assert len(set(unique)) == 2 * len(names)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=3))
def test_a_file_name_is_plain(parts):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", file_name(*parts))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_no_figure_splits_names_or_compares_with_a_star(path):
    """Groupings and groups are tuples, not text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            assert not any(isinstance(c, ast.Constant) and c.value == "*" for c in [node.left, *node.comparators])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            assert not node.args, f"line {node.lineno} splits at a separator"


# Titles


def test_the_number_of_significant_gaps_in_the_title_is_that_of_the_audit(two):
    view = View(two)
    count = sum(map(is_significant, view.tested))
    assert count
    (picture,) = draw(two, ["gaps"])
    assert picture.title.startswith(f"{count} of {len(view.tested)} tested gaps ")


def test_titles_of_rates_name_the_labels_with_the_highest_and_the_lowest(two):
    rates = {label: View(two).rate("TPR", label).value for label in LABELS}
    title = next(p.title for p in draw(two, ["rate"]) if p.name == "rate-tpr")
    assert title.startswith(f"TPR over all faces: {max(rates, key=rates.get)} is recognized most often")
    assert f", {min(rates, key=rates.get)} least often" in title


# Colors


def test_a_group_looks_the_same_everywhere_and_no_two_groups_look_alike(two, many):
    view = View(two)
    gender, race, crossed = (group_styles(view, by) for by in view.groupings)
    assert len({style.color for style in (*gender.values(), *race.values())}) == 4
    assert crossed["female", "white"].marker == gender["female",].marker
    assert crossed["female", "white"].color == race["white",].color
    assert len({style.color for style in crossed.values()}) == 4, "bars have no markers, so colors alone must differ"
    assert len(set(group_styles(View(many), View(many).groupings[0]).values())) == 12


def test_no_group_is_red_where_another_is_green():
    assert not [c for c in COLORS if int(c[1:3], 16) > 0xC0 and int(c[3:5], 16) < 0x70]


# Text and axes


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80))
def test_shortened_names_keep_both_ends(name):
    text = shorten(name)
    assert len(text) <= MAX_NAME_LENGTH
    assert text == name if len(name) <= MAX_NAME_LENGTH else (text[:5], text[-5:]) == (name[:5], name[-5:])


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=12), st.floats(0.3, 3))
def test_wrapped_lines_fit_and_lose_no_word(words, width):
    lines = wrap(" ".join(words), width, 8)
    assert " ".join(lines).split() == words
    assert all(text_width(line, 8, "bold") <= width or " " not in line for line in lines)


@given(st.text("abcdefgh ", min_size=3, max_size=30), st.floats(0.4, 2))
def test_truncated_names_fit(text, width):
    assert text_width(truncate(text, width), 7.5, "bold") <= width


@given(st.floats(0, 1), st.integers(2, 5), st.sampled_from([0.0, 0.5]))
def test_ticks_are_even_steps_inside_the_axis(maximum, max_steps, start):
    end = max(round_axis_end(maximum), 0.75)
    ticks, texts = axis_ticks(end, max_steps, start)
    assert round_axis_end(maximum) >= maximum
    assert ticks[0] == start
    assert ticks[-1] <= end + 1e-9
    assert 1 <= len(ticks) - 1 <= max_steps
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])
    assert [float(t) for t in texts] == pytest.approx(ticks)
    assert not any(t.startswith("0.") or t == "1.0" for t in texts)


def contrast(color, other):
    """Contrast ratio of two colors (WCAG 2.2), as its definition states it."""

    def luminance(rgb):
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb[:3]]
        return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]

    lighter, darker = sorted((luminance(color), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("value", np.linspace(0, 1, 101))
def test_text_on_every_color_of_a_heatmap_has_enough_contrast(value):
    fill = colormaps[HEATMAP_COLORS](value)
    assert contrast(to_rgb(text_color(value, HEATMAP_COLORS)), fill) >= 4.5


# Scores, calibration, confusions


@dataclass(frozen=True)
class Metric:
    label: str
    attribute: tuple[str, ...]
    group: tuple[str, ...]
    value: float | None
    low: float | None = None
    high: float | None = None
    status: str = "ok"
    metric: str = "auroc"


@dataclass(frozen=True)
class Bin:
    label: str
    attribute: tuple[str, ...]
    group: tuple[str, ...]
    bin_low: float
    bin_high: float
    mean_score: float | None
    positives: int
    total: int
    low: float | None = 0.1
    high: float | None = 0.9


@dataclass(frozen=True)
class Pair:
    attribute: tuple[str, ...]
    group: tuple[str, ...]
    truth: str
    predicted: str
    count: int
    rate: float | None


GENDER = (("female",), ("male",))
AGES = tuple((f"{10 * i}s",) for i in range(12))


@pytest.fixture
def canvases(monkeypatch):
    """Every canvas that is drawn, for a look at what is on it."""
    drawn = []
    files = canvas.Canvas.files

    def record(self):
        drawn.append(self)
        return files(self)

    monkeypatch.setattr(canvas.Canvas, "files", record)
    return drawn


def dots(axes):
    """Positions of the markers on axes."""
    return {
        (round(float(x), 6), round(float(y), 6))
        for line in axes.lines
        if line.get_marker() != "None"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }


def texts(axes):
    return [t.get_text() for t in axes.texts]


def make_metrics(attribute, groups, values=None):
    values = iter(values or np.linspace(0.6, 0.95, len(LABELS) * len(groups)))
    return [Metric(n, attribute, g, v := float(next(values)), v - 0.05, min(v + 0.05, 1)) for n in LABELS for g in groups]


def test_a_dot_stands_at_every_value_of_a_metric(two, canvases):
    metrics = make_metrics(("gender",), GENDER)
    with figure_style():
        (picture,) = draw_score_metrics(View(two), metrics)
    assert picture.name == "score-metric-auroc-gender"
    (axes,) = canvases[0].figure.axes
    assert sorted(x for x, _ in dots(axes)) == pytest.approx(sorted(m.value for m in metrics))
    order = [y for _, y in sorted(dots(axes))]
    assert order == sorted(order), "rows are in the order of labels and groups, as the values are here"
    assert {line.get_markerfacecolor() for line in axes.lines if line.get_marker() != "None"} == {
        s.color for s in group_styles(View(two), View(two).groupings[0]).values()
    }
    assert "highest for fear (male, 0.95), lowest for neutral (female, 0.60)" in picture.title


@pytest.mark.parametrize(("lowest", "start"), [(0.56, 0.5), (0.52, 0.0), (0.2, 0.0)])
def test_the_axis_starts_at_one_half_only_when_every_interval_is_above_it(two, canvases, lowest, start):
    with figure_style():
        draw_score_metrics(View(two), make_metrics(("gender",), GENDER, [lowest, 0.7, 0.8, 0.8, 0.9, 0.9]))
    left, right = canvases[0].figure.axes[0].get_xlim()
    assert left < start + 1e-9
    assert left + 0.03 * (right - left) > start


def test_metrics_from_few_faces_are_open_and_missing_ones_a_dash(two, canvases):
    rows = [
        Metric("neutral", (), (), 0.7, 0.6, 0.8, "small"),
        Metric("happiness", (), (), None, None, None, "not_estimable"),
        Metric("fear", (), (), 0.9, 0.8, 0.95),
    ]
    with figure_style():
        (picture,) = draw_score_metrics(View(two), rows)
    (axes,) = canvases[0].figure.axes
    fills = {float(line.get_xdata()[0]): line.get_markerfacecolor() for line in axes.lines if line.get_marker() != "None"}
    assert fills[0.7] == "white"
    assert fills[0.9] != "white"
    assert texts(axes) == ["\N{EN DASH}"]
    assert picture.name == "score-metric-auroc-everyone"
    assert picture.title == "AUROC: 0.90 for every emotion with enough faces"
    assert [row[4] for row in picture.table.rows] == ["too few faces", "", ""]


def test_each_metric_and_grouping_has_a_figure(two):
    rows = [
        m
        for name in ("auroc", "brier_score")
        for attribute, groups in (((), ((),)), (("gender",), GENDER))
        for m in (Metric(**(vars(row) | {"metric": name})) for row in make_metrics(attribute, groups))
    ]
    with figure_style():
        names = [p.name for p in draw_score_metrics(View(two), rows)]
    assert names == [f"score-metric-{m}-{g}" for m in ("auroc", "brier-score") for g in ("everyone", "gender")]


def with_calibration_errors(audit, errors):
    """The audit with these expected calibration errors, by label, grouping and group."""
    rows = [
        ScoreMetric(
            label=label,
            attribute=attribute,
            group=group,
            metric="expected_calibration_error",
            value=value,
            positives=100,
            negatives=100,
            low=0.0,
            high=1.0,
            status="ok",
        )
        for (label, attribute, group), value in errors.items()
    ]
    return audit.model_copy(update={"scores": rows})


def make_bins(attribute, groups, shift=0.0):
    return [
        Bin(n, attribute, g, k / 5, (k + 1) / 5, k / 5 + 0.1, round(50 * (k / 5 + 0.1 - shift * (g == groups[-1]))), 50)
        for n in LABELS
        for g in groups
        for k in range(5)
    ]


def test_a_reliability_curve_has_a_dot_per_filled_bin(two, canvases):
    bins = [*make_bins(("gender",), GENDER, shift=0.1)]
    bins.append(Bin("fear", ("gender",), ("female",), 1.0, 1.0, None, 0, 0, None, None))
    bins[-2] = Bin("fear", ("gender",), ("male",), 0.8, 1.0, 0.9, 3, 4)
    errors = {("fear", ("gender",), ("female",)): 0.05, ("fear", ("gender",), ("male",)): 0.10, ("fear", (), ()): 0.3}
    with figure_style():
        (picture,) = draw_reliability(View(with_calibration_errors(two, errors)), bins)
    assert len(canvases[0].figure.axes) == len(LABELS)
    for label, axes in zip(LABELS, canvases[0].figure.axes, strict=True):
        expected = {(round(b.mean_score, 6), round(b.positives / b.total, 6)) for b in bins if b.label == label and b.total}
        assert dots(axes) == expected
    (few,) = [
        line for axes in canvases[0].figure.axes for line in axes.lines
        if line.get_markerfacecolor() == "white" and len(line.get_xdata()) and line.get_marker() != "None"
    ]  # fmt: skip
    assert list(few.get_xdata()) == [0.9]
    assert len(picture.table.rows) == sum(b.total > 0 for b in bins)
    assert "largest for fear (male, 0.10)" in picture.title


def test_bins_of_too_few_faces_have_no_calibration_error_in_the_title(two):
    bins = [Bin("fear", (), (), 0.0, 0.2, 0.1, 5, 5), Bin("neutral", (), (), 0.0, 0.2, 0.1, 10, 40)]
    view = View(with_calibration_errors(two, {("fear", (), ()): 0.9, ("neutral", (), ()): 0.15}))
    with figure_style():
        (picture,) = draw_reliability(view, bins)
        assert "largest for neutral (0.15)" in picture.title
        (picture,) = draw_reliability(view, bins[:1])
    assert picture.title == "Calibration: too few faces"


def make_pairs(attribute, groups, count=100):
    """A tenth of the faces of each label goes to the next one; in the last group a quarter of fear to neutral."""
    rows = []
    for g in groups:
        for i, truth in enumerate(LABELS):
            wrong = count // 4 if (g, truth) == (groups[-1], "fear") else count // 10
            rows.append(Pair(attribute, g, truth, truth, count - wrong, (count - wrong) / count))
            rows.append(Pair(attribute, g, truth, LABELS[(i + 1) % 3], wrong, wrong / count))
    return rows


def test_a_heat_map_of_confusions_has_rate_and_number_in_each_cell(two, canvases):
    with figure_style():
        (picture,) = draw_confusions(View(two), make_pairs(("gender",), GENDER))
    *panels, _ = canvases[0].figure.axes
    assert len(panels) == 2
    for axes, wrong in zip(panels, (10, 25), strict=True):
        cells = [tuple(texts(axes)[i : i + 2]) for i in range(0, 18, 2)]
        ninety, ten, zero = ("0.90", "90"), ("0.10", "10"), ("0.00", "0")
        last = (f"0.{wrong}", str(wrong)), zero, (f"0.{100 - wrong}", str(100 - wrong))
        assert cells == [ninety, ten, zero, zero, ninety, ten, *last]
    assert "the most frequent is fear classified as neutral (male, 0.25)" in picture.title


def test_rows_with_few_faces_are_not_colored(two, canvases):
    with figure_style():
        (picture,) = draw_confusions(View(two), [*make_pairs((), ((),), 10), Pair((), (), "fear", NO_ANSWER, 30, 0.75)])
    panel, _ = canvases[0].figure.axes
    hatched = [p for p in panel.patches if p.get_hatch()]
    assert len(hatched) == 2 * 4, "neutral and happiness have 10 faces, fear has 40"
    assert picture.table.columns[-1] == NO_ANSWER
    assert picture.title == "Confusions: the most frequent is fear without a prediction (0.75)"


def test_a_true_label_that_was_not_audited_has_a_row(two):
    with figure_style():
        (picture,) = draw_confusions(View(two), [*make_pairs((), ((),)), Pair((), (), "contempt", "fear", 5, 1.0)])
    assert [row[1] for row in picture.table.rows] == [*LABELS, "contempt"]


@pytest.mark.parametrize(
    ("draw_rows", "make", "limit"),
    [
        (draw_confusions, make_pairs, confusions._MAX_GROUPS),
        (draw_reliability, make_bins, reliability._MAX_GROUPS),
        (draw_score_metrics, make_metrics, score_metrics.MAX_GROUPS_BY_COLOR),
    ],
)
def test_of_many_groups_the_largest_are_drawn_and_the_caption_says_so(many, canvases, draw_rows, make, limit):
    view = View(many)
    with figure_style():
        (picture,) = draw_rows(view, make(("age",), AGES))
    assert f"Of 12 groups, the {limit} largest are shown." in picture.caption
    grouping = view.groupings[0]
    largest = sorted(view.groups(grouping), key=lambda g: -view.size(grouping, g))[:limit]
    on_canvas = {t.get_text() for t in canvases[0].figure.texts}
    assert {g[0] for g in largest} == on_canvas & {g[0] for g in AGES}
    assert {row[picture.table.columns.index("group")] for row in picture.table.rows} == {g[0] for g in AGES}


@pytest.mark.parametrize(
    ("draw_rows", "make"), [(draw_confusions, make_pairs), (draw_reliability, make_bins), (draw_score_metrics, make_metrics)]
)
def test_the_same_rows_are_the_same_bytes_and_none_are_no_figure(two, draw_rows, make):
    view, rows = View(two), make(("gender",), GENDER)
    with figure_style():
        assert [(p.svg, p.png) for p in draw_rows(view, rows)] == [(p.svg, p.png) for p in draw_rows(view, rows)]
        assert draw_rows(view, []) == []


@pytest.mark.slow
@pytest.mark.parametrize("works", [True, False])
def test_a_second_process_draws_the_same_bytes(monkeypatch, works):
    """It saves time and changes nothing; if it fails, its figures are drawn here."""
    from fairfer.report.figures import second_process

    dataset = fairfer.load_dataset("sample")
    plan = fairfer.AuditPlan.of({"by": ["gender"], "permutations": 200})
    audit = fairfer.audit(dataset, fairfer.predict(dataset, fairfer.load_model("baseline")), plan)
    alone = draw(audit)
    monkeypatch.setattr(second_process, "WORTHWHILE", 1)
    monkeypatch.setattr(second_process.os, "cpu_count", lambda: 2)
    asked = []
    run = second_process.subprocess.run
    monkeypatch.setattr(second_process.subprocess, "run", lambda *a, **k: asked.append(a) or run(*a, **k))
    if not works:
        monkeypatch.setattr(second_process, "_PROGRAM", "raise SystemExit(1)")
    assert [(p.name, p.svg, p.png) for p in draw(audit)] == [(p.name, p.svg, p.png) for p in alone]
    assert len(asked) == 1
