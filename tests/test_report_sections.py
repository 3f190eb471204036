"""Sections of a report: each shows the audit's own numbers, and only where the audit has them."""

from __future__ import annotations

import ast
import csv
import io
import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fairfer
import fairfer.report
from fairfer.metrics.results import AdditionalSamples, CorrectedGap, ExcludedGroup, Gap, StandardizedGap
from fairfer.report import sections
from fairfer.report.blocks import Heading, Paragraph, TableBlock
from fairfer.report.figures import FIGURES, draw
from fairfer.report.html import page
from fairfer.report.sections import SECTIONS, csv_names
from fairfer.report.sections.explanations import ExplanationsSection
from fairfer.report.sections.probes import ProbesSection
from fairfer.report.sections.section import Section
from fairfer.report.tables.annotation_error import annotation_error_table
from fairfer.report.tables.gaps import power_table
from fairfer.report.tables.scores import METRICS
from fairfer.report.tables.standardized import standardized_table
from fairfer.report.tables.table import Table
from fairfer.report.text import caveats, statements
from fairfer.report.text.findings import KeyFinding, headline, minimum_detectable
from fairfer.report.text.glossary import GLOSSARY
from fairfer.report.view import View, is_significant
from fairfer.report.write import write_report
from fairfer.vocabulary import NO_ANSWER, STATUSES, group_name


@pytest.fixture(scope="module")
def result(toy_factory):
    """An audit with votes, subjects, probabilities and standardization; women have a higher TPR than men."""
    from fairfer import audit, predict
    from fairfer.datasets.attributes import Attribute
    from fairfer.datasets.dataset import DUPLICATE_GROUP
    from fairfer.labels import LabelSpace
    from fairfer.testing import FakeModel

    labels = LabelSpace.of("three", ["neutral", "happiness", "fear"])
    generator = np.random.default_rng(4)
    n = 600
    truth = generator.integers(0, 3, n)
    women = generator.random(n) < 0.5
    correct = generator.random(n) < np.where(women, 0.95, 0.6)
    predicted = np.where(correct, truth, (truth + 1) % 3)
    data = toy_factory(
        [labels.labels[t] for t in truth], {"gender": ["fm"[not w] for w in women]}, said=list(predicted), labels=labels
    )
    sharp = generator.uniform(0.4, 1, (n, 1))
    votes = pd.DataFrame(
        [generator.multinomial(10, p) for p in sharp * np.eye(3)[truth] + (1 - sharp) / 3], columns=list(labels.labels)
    ).set_index(data.samples.index)
    columns = {
        "actor": [f"p{i}" for i in generator.integers(0, 200, n)],
        "p_f": np.where(women, 0.9, 0.2),
        DUPLICATE_GROUP: [f"t{i // 2}" if i < 200 else "" for i in range(n)],
    }
    data = data.replace(
        samples=data.samples.assign(**columns),
        votes=votes,
        attributes=(Attribute("gender", ("f", "m"), "inferred", "a net", probabilities={"f": "p_f"}),),
    )
    return audit(
        data, predict(data, FakeModel(labels)), by=["gender"], standardize=["vote_entropy"], subject="actor", permutations=300
    )


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def tables_of(audit):
    return sections.csv_files(View(audit))


def rows_by_file(audit):
    votes, annotation, bias = View(audit).human_agreement, audit.annotation_sensitivity, audit.dataset_bias
    return {
        "standardized_gaps.csv": audit.standardized,
        "human_agreement.csv": [*votes.weighted, *votes.human],
        "ambiguity.csv": votes.ambiguity,
        "duplicate_consistency.csv": votes.duplicate_consistency,
        "annotation_error.csv": annotation.corrected,
        "probabilistic_rates.csv": annotation.rates,
        "probabilistic_gaps.csv": annotation.gaps,
        "label_group_association.csv": bias.pairing,
        "representation.csv": bias.representation,
        "association.csv": bias.association,
    }


def without_optional_results(audit):
    return audit.model_copy(update={"human_agreement": None, "standardized": [], "annotation_sensitivity": None})


# The registry


class Example(Section):
    """A section as another module would add it."""

    key = "example"
    title = "Example <section>"
    csv_names = ("example.csv",)

    def applies(self, view):
        return len(view.labels) == 3

    def findings(self, view):
        return [KeyFinding("An example finding")]

    def caveats(self, view):
        return ["An example caveat.", ""]

    def csv_files(self, view):
        return {"example.csv": "a\n1\n"}

    def blocks(self, view, pictures):
        return [Heading("Detail & more"), Paragraph("A <b>paragraph</b>."), TableBlock(Table("Caption", ("a",), (("1",),), 0))]


@pytest.mark.usefixtures("few_figures")
def test_a_registered_section_needs_no_other_change(result, monkeypatch, tmp_path):
    """One entry in the registry adds page, contents, finding, caveat and CSV file; without it there is none of them."""
    audit = without_optional_results(result)
    before = page(audit, draw(audit, ["overview"]))
    monkeypatch.setattr(sections, "SECTIONS", (Example(), *SECTIONS))
    text = page(audit, draw(audit, ["overview"]))
    for expected in (
        '<a href="#example">Example &lt;section&gt;</a>',
        'id="example"',
        "Detail &amp; more",
        "An example caveat.",
    ):
        assert expected in text
        assert expected not in before
    assert "A &lt;b&gt;paragraph&lt;/b&gt;." in text
    assert text.index("An example finding") < text.index('id="example"')
    assert tables_of(audit)["example.csv"] == "a\n1\n"
    two_labels = audit.model_copy(update={"labels": audit.labels.model_copy(update={"audited": audit.labels.audited[:2]})})
    assert "example.csv" not in tables_of(two_labels)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "example.csv").write_text("of an earlier report", encoding="utf-8")
    write_report(two_labels, tmp_path)
    assert not (tmp_path / "tables" / "example.csv").exists()


def test_the_registry_is_consistent(result):
    """Keys and file names are unique, every kind of figure belongs to one section, and only declared files are written."""
    keys = [s.key for s in SECTIONS]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set(GLOSSARY), "anchors on one page"
    names = [n for s in SECTIONS for n in s.csv_names]
    assert len(set(names)) == len(names)
    assert sorted(k for s in SECTIONS for k in s.figure_kinds) == sorted(FIGURES)
    view = View(result)
    for section in SECTIONS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", section.key)
        assert set(section.csv_files(view)) <= set(section.csv_names)


def _imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_imports_inside_the_report_have_no_cycle():
    """Depth-first search over all modules of the package, with imports inside functions."""
    root = Path(fairfer.report.__file__).parent
    modules = {".".join(("fairfer.report", *p.relative_to(root).with_suffix("").parts)): p for p in root.rglob("*.py")}
    graph = {m.removesuffix(".__init__"): _imports(p) for m, p in modules.items()}
    finished, path = set(), []

    def visit(module):
        assert module not in path, f"cycle: {path[path.index(module) :]}"
        if module in finished:
            return
        path.append(module)
        for name in sorted(graph[module] & graph.keys() - {"fairfer.report"}):
            if not (module.startswith(f"{name}.") or name == module):
                visit(name)
        finished.add(path.pop())

    for module in graph:
        visit(module)


# CSV files


def test_csv_files_contain_the_numbers_of_the_audit(result):
    """Cell by cell: each value reads back as in audit.json."""
    files = tables_of(result)
    options = {
        "pooled_rates.csv",
        "interactions.csv",
        "gee.csv",
        "gee_rates.csv",
        "answer_times.csv",
        "action_units.csv",
        "conditioned_gaps.csv",
        "action_unit_patterns.csv",
    }  # this audit does not ask for them
    options |= {*ProbesSection.csv_names, *ExplanationsSection.csv_names}  # of other commands
    assert set(files) == csv_names() - options
    for name, expected in rows_by_file(result).items():
        rows = rows_of(files[name])
        assert len(rows) == len(expected) > 0
        for row, model in zip(rows, expected, strict=True):
            for column in row.keys() & type(model).model_fields.keys():
                value = getattr(model, column)
                text = group_name(value) if isinstance(value, tuple) else "" if value is None else str(value)
                assert row[column] == text
    sources = [r["source"] for r in rows_of(files["human_agreement.csv"])]
    assert sources.count("rater") == len(View(result).human_agreement.human)
    groups = [(a.label, a.rate, group_name(g.group), g.value) for a in result.standardized for g in a.groups]
    rows = rows_of(files["standardized_rates.csv"])
    assert [(r["label"], r["rate"], r["group"], float(r["value"])) for r in rows] == groups


def test_power_reports_additional_samples_and_excluded_groups(result):
    """Groups with numbers; ``none`` when no more samples are needed; empty when the number is unknown."""
    additional = [AdditionalSamples(group=(g,), samples=120, subjects=None) for g in "fm"]
    gap = result.gaps[0].model_copy(update={"additional_samples": additional})
    excluded = [ExcludedGroup(group=("x",), reason="small", denominator=3)]
    sufficient, unknown = (gap.model_copy(update={"additional_samples": s, "excluded": excluded}) for s in ([], None))
    audit = result.model_copy(update={"gaps": [gap, sufficient, unknown]})
    rows = rows_of(tables_of(audit)["power.csv"])
    assert [r["additional_samples"] for r in rows] == ["f: 120; m: 120", "none", ""]
    assert [r["excluded"] for r in rows] == ["", "x (small, 3)", "x (small, 3)"]
    assert rows[0]["groups"] == "f; m"
    table = power_table(View(audit)).rows
    assert [r[-2] for r in table] == ["f 120; m 120", "none", "\N{EN DASH}"]
    assert table[1][-1] == "x (too few)"


@pytest.mark.usefixtures("few_figures")
def test_tables_of_an_earlier_report_are_removed(result, tmp_path):
    """Tables that the new audit does not have; files of the user stay."""
    write_report(result, tmp_path)
    assert (tmp_path / "tables" / "human_agreement.csv").is_file()
    (tmp_path / "tables" / "notes.csv").write_text("of the user", encoding="utf-8")
    write_report(without_optional_results(result), tmp_path)
    names = {p.name for p in (tmp_path / "tables").iterdir()}
    assert "human_agreement.csv" not in names
    assert {"power.csv", "dataset_composition.csv", "notes.csv"} <= names


# Confusions, counts and scores against the predictions they come from


@pytest.fixture(scope="module")
def predictions_table():
    """True label, prediction, scores and gender of 300 faces; some have no prediction."""
    generator = np.random.default_rng(7)
    n, labels = 300, ["anger", "fear", "neutral"]
    truth = generator.integers(0, 3, n)
    scores = generator.dirichlet([1, 1, 1], n) * 0.6 + 0.4 * np.eye(3)[truth]
    table = pd.DataFrame(scores, columns=labels).round(3)
    table["truth"] = np.array(labels)[truth]
    table["predicted"] = np.where(generator.random(n) < 0.1, None, np.array(labels)[scores.argmax(axis=1)])
    table["gender"] = generator.choice(["f", "m"], n, p=[0.6, 0.4])
    table.loc[table["predicted"].isna(), labels] = np.nan
    return table


@pytest.fixture(scope="module")
def scored(predictions_table):
    """The audit of `predictions_table`."""
    labels = ["anger", "fear", "neutral"]
    table = predictions_table
    return fairfer.audit(
        table["truth"], table["predicted"], groups=table[["gender"]], scores=table[labels], permutations=100, minimum=5
    )


def rows_of_groups(table):
    """The rows of everyone and of each gender, with the names that CSV files give them."""
    return [("*", "*", table), *(("gender", gender, rows) for gender, rows in table.groupby("gender"))]


def test_confusions_csv_has_the_rates_of_the_predictions(scored, predictions_table):
    """Recomputed by pandas; a face without a prediction is in the denominator."""
    text = tables_of(scored)["confusions.csv"]
    assert text.splitlines()[0] == "attribute,group,truth,predicted,count,rate,low,high"
    expected = {}
    for attribute, group, rows in rows_of_groups(predictions_table):
        counts = pd.crosstab(rows["truth"], rows["predicted"].fillna(NO_ANSWER))
        shares = pd.crosstab(rows["truth"], rows["predicted"].fillna(NO_ANSWER), normalize="index")
        for truth, predicted in itertools.product(counts.index, counts.columns):
            expected[attribute, group, truth, predicted] = counts.loc[truth, predicted], shares.loc[truth, predicted]
    rows = {tuple(r[n] for n in ("attribute", "group", "truth", "predicted")): r for r in rows_of(text)}
    assert expected.keys() <= rows.keys()
    for key, row in rows.items():
        count, rate = expected.get(key, (0, 0))
        assert int(row["count"]) == count
        assert float(row["rate"]) == pytest.approx(rate)
        assert float(row["low"]) <= rate <= float(row["high"])


def test_counts_csv_has_the_counts_of_the_predictions(scored, predictions_table):
    """Recomputed by pandas, each label vs. the rest."""
    rows = {(r["attribute"], r["group"], r["label"]): r for r in rows_of(tables_of(scored)["counts.csv"])}
    assert len(rows) == 3 * 3
    for attribute, group, faces in rows_of_groups(predictions_table):
        for label in scored.labels.audited:
            truth, predicted = faces["truth"] == label, faces["predicted"] == label
            cells = {"tp": truth & predicted, "fn": truth & ~predicted, "fp": ~truth & predicted, "tn": ~truth & ~predicted}
            row = rows[attribute, group, label]
            assert {name: int(row[name]) for name in cells} == {name: int(cell.sum()) for name, cell in cells.items()}


def test_groups_csv_has_the_size_of_every_group(scored, predictions_table):
    """With the number of correct predictions, and a column per status."""
    rows = {(r["attribute"], r["group"]): r for r in rows_of(tables_of(scored)["groups.csv"])}
    for attribute, group, faces in rows_of_groups(predictions_table):
        row = rows.pop((attribute, group))
        assert int(row["total"]) == int(row["judged"]) == len(faces)
        assert int(row["correct"]) == (faces["truth"] == faces["predicted"]).sum()
        assert int(row["ok"]) == faces["predicted"].notna().sum()
        assert sum(int(row[status]) for status in STATUSES) == len(faces)
    assert not rows


def test_scores_csv_has_the_metrics_of_the_scores(scored, predictions_table):
    """AUROC is the share of pairs in order; the Brier score is the mean squared difference. Counted here pair by pair."""
    text = tables_of(scored)["scores.csv"]
    assert text.splitlines()[0] == "label,attribute,group,metric,value,positives,negatives,low,high,status"
    rows = {(r["attribute"], r["group"], r["label"], r["metric"]): r for r in rows_of(text)}
    assert {metric for *_, metric in rows} == set(METRICS)
    for attribute, group, faces in rows_of_groups(predictions_table.dropna(subset="predicted")):
        for label in scored.labels.audited:
            truth, score = (faces["truth"] == label).to_numpy(), faces[label].to_numpy()
            pairs = score[truth][:, None] - score[~truth][None, :]
            expected = {
                "auroc": np.mean((pairs > 0) + 0.5 * (pairs == 0)),
                "brier_score": np.mean((score - truth) ** 2),
            }
            for metric, value in expected.items():
                row = rows[attribute, group, label, metric]
                assert float(row["value"]) == pytest.approx(value, abs=0.002)
                assert float(row["low"]) < value < float(row["high"])
                assert (int(row["positives"]), int(row["negatives"])) == (truth.sum(), (~truth).sum())


def test_reliability_csv_has_every_face_in_a_bin(scored, predictions_table):
    """The numbers of faces add up, and the mean score of a bin is inside it."""
    rows = [r for r in rows_of(tables_of(scored)["reliability.csv"]) if r["attribute"] == "*"]
    answered = predictions_table.dropna(subset="predicted")
    for label in scored.labels.audited:
        bins = [r for r in rows if r["label"] == label]
        assert sum(int(r["total"]) for r in bins) == len(answered)
        assert sum(int(r["positives"]) for r in bins) == (answered["truth"] == label).sum()
        for row in bins:
            assert float(row["bin_low"]) - 1e-9 <= float(row["mean_score"]) <= float(row["bin_high"]) + 1e-9
            assert float(row["share"]) == pytest.approx(int(row["positives"]) / int(row["total"]))


def test_sections_of_confusions_and_scores_are_shown_only_with_their_results(scored):
    """An audit of labels alone has no scores, a multi-label audit no confusions; both have counts."""
    labels_only = scored.model_copy(update={"scores": [], "reliability": [], "histograms": [], "score_scale": None})
    no_confusions = scored.model_copy(update={"confusions": []})
    overview = draw(scored, ["overview"])
    pictures = draw(scored, ["confusions", "score_metric", "reliability"])
    assert {p.kind for p in pictures} == {"confusions", "score_metric", "reliability"}
    text = page(scored, [*overview, *pictures])
    assert all(f'href="#{key}">' in text and f'id="{key}">' in text for key in ("confusions", "scores", "counts"))
    for audit, absent, files in (
        (labels_only, "scores", {"scores.csv", "reliability.csv"}),
        (no_confusions, "confusions", {"confusions.csv"}),
    ):
        text = page(audit, overview)
        assert f'id="{absent}"' not in text
        assert 'id="counts"' in text
        assert tables_of(scored).keys() - tables_of(audit).keys() == files


def test_scores_that_are_no_probabilities_are_a_caveat(scored):
    """Their order has a meaning, their size has none."""
    unbounded = scored.model_copy(update={"score_scale": "unbounded"})
    text = "Some scores are outside 0 to 1 and therefore not probabilities"
    assert any(line.startswith(text) for line in sections.caveats(View(unbounded)))
    assert not any(line.startswith(text) for line in sections.caveats(View(scored)))


# The page


def test_optional_sections_are_shown_only_with_results(result):
    """Standardization, human agreement and annotation error: section and entry in the contents, or neither."""
    keys = ("standardized", "human-agreement", "annotation-error")
    text = page(result, draw(result, ["overview", "standardized_gaps", "human_agreement", "annotation_error"]))
    assert all(f'href="#{k}">' in text and f'id="{k}">' in text for k in keys)
    bare = without_optional_results(result)
    assert not any(f'id="{k}"' in page(bare, draw(bare, ["overview"])) for k in keys)
    assert "Label consistency on duplicate images" in text
    copied = View(result).human_agreement.model_copy(update={"duplicate_consistency": [], "independent": False})
    audit = result.model_copy(update={"human_agreement": copied})
    assert "Duplicate images in this dataset have identical votes" in page(audit, draw(audit, ["overview"]))


def test_subjects_are_reported(result):
    """With a subject column, in the caveats and under limits; without one, every face is a different subject."""
    view = View(result)
    assert re.search(r"^The 600 faces show \d+ subjects \(column actor\)", caveats.subjects(view))
    assert caveats.subjects(view) in sections.caveats(view)
    assert "every face as a different subject" not in page(result, draw(result, ["overview"]))
    audit = result.model_copy(
        update={
            "plan": result.plan.model_copy(update={"subject": ""}),
            "data": result.data.model_copy(update={"subjects": None}),
        }
    )
    assert caveats.subjects(View(audit)) == ""
    assert "every face as a different subject" in page(audit, draw(audit, ["overview"]))


def test_what_standardization_changes_is_reported(result):
    """Covered share first, then the gap before and after, and the change with its own interval; no word of a cause."""
    gap = next(g for g in View(result).significant)
    [same] = [a for a in result.standardized if (a.rate, a.label, a.attribute) == (gap.rate, gap.label, gap.attribute)]
    row = same.model_copy(
        update={
            "covered_share": 0.875, "unstandardized": 0.3, "standardized": 0.2, "change": -0.1, "change_low": -0.15,
            "change_high": -0.05,
        }
    )  # fmt: skip
    text = caveats.standardization(View(result.model_copy(update={"standardized": [row]})), [gap])
    assert text.startswith("Directly standardized for emotion and vote_entropy: ")
    assert "(87.5 % of the faces compared; 0.30 before, 0.20 after, change −0.10 (−0.15 to −0.05))" in text
    uncertain = row.model_copy(update={"change_high": 0.01})
    text = caveats.standardization(View(result.model_copy(update={"standardized": [uncertain]})), [gap])
    assert "not distinguishable from 0" in text
    missing = StandardizedGap.model_validate(
        {**same.model_dump(), **dict.fromkeys(("difference", "unstandardized", "change", "q")), "status": "no_common_strata"}
    )
    view = View(result.model_copy(update={"standardized": [missing]}))
    assert "cannot be compared" in caveats.standardization(view, [gap])
    assert standardized_table(view).rows[0][3] == "no common strata"
    page_text = page(result, draw(result, ["overview", "standardized_gaps"]))
    assert not re.search(
        r"explained by|due to|because of|accounts? for", page_text[page_text.index('id="standardized"') :][:9000]
    )


def test_gaps_that_become_significant_are_named_too(result):
    """Only before, or only after standardization; neither is a test of the change."""
    view = View(result)
    gaps = {(g.rate, g.label, g.attribute): g for g in view.tested}
    lost = next(a for a in result.standardized if is_significant(gaps[a.rate, a.label, a.attribute]) and a.change is not None)
    gained = next(a for a in result.standardized if a.change is not None and a is not lost)
    fields = {"q": 0.9, **({"significant": False} if "significant" in Gap.model_fields else {})}
    key = (gained.rate, gained.label, gained.attribute)
    plain = [g.model_copy(update=fields) if (g.rate, g.label, g.attribute) == key else g for g in result.gaps]
    result = result.model_copy(update={"gaps": plain})
    rows = [
        lost.model_copy(update={"q": 0.9}),
        gained.model_copy(update={"difference": 0.5, "expected_by_chance": 0.1, "q": 0.001}),
    ]
    text = caveats.significance_after_standardization(View(result.model_copy(update={"standardized": rows})))
    assert f"tatistically significant only after standardization: {'' if gained.label == '*' else gained.label}" in text
    assert "tatistically significant only before standardization" in text
    assert "does not show that standardization changes a gap" in text
    assert caveats.significance_after_standardization(View(result.model_copy(update={"standardized": []}))) == ""


def curve(gap, lows):
    identity = {"label": gap.label, "attribute": gap.attribute, "rate": gap.rate, "worst": gap.worst, "best": gap.best}
    rows = []
    for error, low in zip((0.0, 0.01, 0.05, 0.1, 0.2), lows, strict=True):
        values = dict.fromkeys(("difference", "low", "high"))
        if low is not None:
            values = {"difference": low + 0.1, "low": low, "high": low + 0.2}
        scenario = "all_groups" if error else "as_annotated"
        status = "not_estimable" if low is None else "ok"
        rows.append(CorrectedGap(**identity, scenario=scenario, error=error, **values, status=status))
    return rows


@pytest.mark.parametrize(
    ("lows", "expected"),
    [
        ([0.1, 0.1, 0.1, 0.05, 0.01], None),
        ([0.1, 0.1, -0.05, -0.1, -0.1], "(at 5 % error)"),
        ([0.1, 0.1, 0.1, 0.1, None], "(at 20 % error)"),
        ([-0.05, -0.05, -0.05, -0.05, -0.05], "(even without error)"),
    ],
)
def test_gaps_that_depend_on_annotation_error_are_reported(result, lows, expected):
    """With the smallest assumed share of wrong annotations at which the sign is uncertain."""
    gap = next(g for g in View(result).significant)
    annotation = result.annotation_sensitivity.model_copy(update={"corrected": curve(gap, lows), "gaps": []})
    text = caveats.annotation_error(View(result.model_copy(update={"annotation_sensitivity": annotation})), [gap])
    assert (expected or "") in text
    assert bool(text) == (expected is not None)


def test_gaps_as_annotated_are_positive(result):
    """For FPR too, in every table: as in gaps.csv."""
    gaps = {(g.rate, g.label, g.attribute): g for g in result.gaps}
    rows = [c for c in result.annotation_sensitivity.corrected if c.scenario == "as_annotated" and c.difference is not None]
    assert {c.rate for c in rows} >= {"TPR", "FPR"}
    for c in rows:
        assert c.difference == pytest.approx(gaps[c.rate, c.label, c.attribute].difference)
    for g in result.annotation_sensitivity.gaps:
        assert g.most_likely == pytest.approx(gaps[g.rate, g.label, g.attribute].difference)


def test_statements_agree_with_the_audit(result):
    """Recomputed from the rows."""
    view = View(result)
    rater = {r.label: r.value for r in view.human_agreement.human if (r.attribute, r.rate) == ((), "TPR")}
    above = sum(view.rate("TPR", label).value > rater[label] for label in view.labels)
    number = "all 3" if above == 3 else f"{above or 'none'} of 3"
    assert f"for {number} compared emotions" in statements.human_agreement_statement(view, ("gender",))
    strata = [a for a in view.human_agreement.ambiguity if a.attribute == () and a.status == "ok"]
    assert statements.ambiguity_statement(view).startswith("Accuracy is ")
    assert f"where they are {strata[-1].stratum}" in statements.ambiguity_statement(view)
    strongest = max(result.dataset_bias.pairing, key=lambda p: p.ducher_z)
    assert statements.association_statement(view).casefold().startswith(f"{strongest.label} is most over-represented among")
    assert "If 10 % of the annotations were wrong" in statements.annotation_error_statement(view)
    smallest = min(g.minimum_detectable for g in result.gaps if g.rate == "TPR" and g.minimum_detectable is not None)
    assert f": {smallest:.2f}." in minimum_detectable(view)
    assert minimum_detectable(view) in headline(view)


def test_statements_without_results_contain_no_number(result):
    """Too few faces, no correction, no minimum detectable difference."""
    votes = View(result).human_agreement.model_copy(update={"human": [], "ambiguity": []})
    gaps = [g.model_copy(update={"minimum_detectable": None}) for g in result.gaps]
    view = View(
        result.model_copy(update={"human_agreement": votes, "annotation_sensitivity": None, "dataset_bias": None, "gaps": gaps})
    )
    assert statements.human_agreement_statement(view, ()) == "Model and human agreement: too few faces of every emotion"
    assert statements.ambiguity_statement(view) == "Too few faces to compare accuracy by agreement among raters"
    assert statements.annotation_error_statement(view) == "Sensitivity of gaps to annotation error"
    assert statements.association_statement(view) == "Association of emotion and group"
    assert minimum_detectable(view) == ""
    fpr_gaps = [g for g in result.gaps if g.rate == "FPR"]
    assert " FPR by gender: " in minimum_detectable(View(result.model_copy(update={"gaps": fpr_gaps})))
    missing = {"difference": None, "low": None, "high": None, "status": "not_estimable"}
    corrected = [c.model_copy(update=missing) if c.error == 0.1 else c for c in result.annotation_sensitivity.corrected]
    view = View(
        result.model_copy(
            update={"annotation_sensitivity": result.annotation_sensitivity.model_copy(update={"corrected": corrected})}
        )
    )
    assert "would not be estimable" in statements.annotation_error_statement(view)
    assert "\N{EN DASH}" in {cell for row in annotation_error_table(view).rows for cell in row}


def test_a_reversed_gap_is_stated(result):
    """A correction that reverses the order of the groups is not shown as a smaller gap."""
    gap = next(g for g in View(result).significant)
    rows = [c.model_copy(update={"difference": -0.1}) if c.error == 0.1 else c for c in curve(gap, [0.1] * 5)]
    annotation = result.annotation_sensitivity.model_copy(update={"corrected": rows, "gaps": []})
    text = statements.annotation_error_statement(View(result.model_copy(update={"annotation_sensitivity": annotation})))
    assert text.endswith("would be \N{MINUS SIGN}0.10 instead of 0.20, in the opposite direction")


def test_the_example_is_reproducible():
    """Its audit.json reads back, and its tables are made from it."""
    from fairfer.audits.result import Audit

    folder = Path(__file__).parents[1] / "reports" / "example"
    if not folder.is_dir():  # a source distribution has no reports
        pytest.skip("reports/example is not here")
    texts = tables_of(Audit.read(folder))
    assert {p.name for p in (folder / "tables").iterdir()} == set(texts)
    for name, text in texts.items():
        assert (folder / "tables" / name).read_text(encoding="utf-8") == text
