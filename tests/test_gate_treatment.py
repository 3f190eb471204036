"""Faces that the model cannot classify correctly: counts moved by the gate equal those of an audit that keeps them."""

from __future__ import annotations

import numpy as np
import pytest

import fairfer
from fairfer.audits.consistency import check_consistent
from fairfer.gate.looks import chance_at_most, chance_if_independent
from fairfer.gate.missing_answers import with_wrong_answers
from fairfer.gate.treatment import as_judged, unsupported_faces

EMOTIONS = np.array(["happiness", "sadness", "fear", "anger"])
JUDGED = ("TPR", "FNR", "FPR", "TNR", "PPV", "selection rate", "accuracy", "coverage")


def audits(seed: int) -> dict[str, fairfer.Audit]:
    """The same answers of a model without fear and anger, with each treatment of their faces."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(EMOTIONS, 500)
    answer = generator.choice(EMOTIONS[:2], 500).astype(object)
    answer[generator.random(500) < 0.1] = None
    group = generator.choice(["f", "m", "x"], 500, p=[0.5, 0.45, 0.05])
    scores = np.where(answer[:, None] == EMOTIONS[None, :2], 0.9, 0.1).astype(float)
    scores[[a is None for a in answer]] = np.nan
    options = {"groups": {"g": group}, "scores": scores, "labels": list(EMOTIONS[:2]), "permutations": 100}
    treatments = ("keep", "drop", "merge=fear:sadness,anger:happiness")
    return {t.partition("=")[0]: fairfer.audit(truth, None, unsupported_labels=t, **options) for t in treatments}


def fractions(audit):
    return {
        (r.attribute, r.group, r.label, r.rate): (r.numerator, r.denominator, r.value, r.status)
        for r in audit.rates
        if r.rate in JUDGED
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("treatment", ["drop", "merge"])
def test_moved_counts_are_those_of_an_audit_that_keeps_the_faces(seed, treatment):
    """Every rate of every label and group; and back."""
    of = audits(seed)
    judged = as_judged(of[treatment], "inconclusive")
    expected = fractions(of["keep"])
    assert fractions(judged) == expected
    assert {(c.attribute, c.group, c.label): (c.tp, c.fn, c.fp, c.tn) for c in judged.counts} == {
        (c.attribute, c.group, c.label): (c.tp, c.fn, c.fp, c.tn) for c in of["keep"].counts
    }
    assert unsupported_faces(judged) == unsupported_faces(of["keep"]) == unsupported_faces(of[treatment])
    check_consistent(of[treatment], "here")
    assert fractions(as_judged(of["keep"], "ignore")) == fractions(of["drop"])
    assert as_judged(of["keep"], "inconclusive") is of["keep"]
    assert as_judged(of["drop"], "ignore") is of["drop"]


@pytest.mark.parametrize(
    ("errors", "most", "independent"), [([0.05], 0.05, 0.05), ([0.05] * 30, 1.0, 1 - 0.95**30), ([], 0, 0)]
)
def test_chances_of_a_wrong_pass(errors, most, independent):
    """Boole's inequality, and independence."""
    assert chance_at_most(errors) == pytest.approx(most)
    assert chance_if_independent(errors) == pytest.approx(independent)


def test_missing_answers_are_counted_as_wrong():
    """Never more than the faces that have no other answer."""
    audit = audits(0)["keep"]
    rate = audit.rate("FPR", label="sadness", attribute="g", group="f")
    assert with_wrong_answers(rate, 0) is rate
    worst = with_wrong_answers(rate, 10**6)
    assert (worst.numerator, worst.value) == (rate.denominator, 1)
    specificity = audit.rate("TNR", label="sadness", attribute="g", group="f")
    assert with_wrong_answers(specificity, 5).numerator == specificity.numerator - 5
    precision = audit.rate("PPV", label="sadness", attribute="g", group="f")
    assert with_wrong_answers(precision, 5).denominator == precision.denominator + 5
