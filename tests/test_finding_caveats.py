"""What makes a finding hard to interpret stands in the finding: each reason alone, and none without a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fairfer
from fairfer.report.text.finding_caveats import finding_caveats, is_unreliable
from fairfer.report.view import View


def view_of(*, gender=0.35, n=1200, unknown=0, subjects=None, **provenance):
    """Women are recognized more often than men, by the share `gender`; the annotation of gender as stated."""
    generator = np.random.default_rng(5)
    women = np.arange(n) % 2 == 0
    correct = generator.random(n) < np.where(women, 0.9, 0.9 - gender)
    table = pd.DataFrame(
        {"label": "anger", "predicted": np.where(correct, "anger", "fear"), "gender": np.where(women, "female", "male")}
    )
    table.loc[: unknown - 1, "gender"] = "unknown" if unknown else table["gender"]
    if subjects:
        table["actor"] = [f"p{i % subjects}" for i in range(n)]
    validation = provenance.pop("validation", None)
    dataset = fairfer.load_dataset(table, validation={"gender": validation} if validation else None)
    audit = fairfer.audit(
        dataset,
        fairfer.predict(dataset),
        by=["gender"],
        permutations=200,
        subject="actor" if subjects else "",
    )
    if provenance:
        [attribute] = audit.data.attributes
        data = audit.data.model_copy(update={"attributes": [attribute.model_copy(update=provenance)]})
        audit = audit.model_copy(update={"data": data})
    return View(audit)


def caveats_of(view):
    return finding_caveats(view, view.gap("accuracy", "*", ("gender",)))


def test_a_finding_without_a_reason_has_no_caveat():
    assert caveats_of(view_of()) == ""
    assert caveats_of(view_of(source="inferred", note="A few percent wrong in spot checks.")) == ""


@pytest.mark.parametrize(
    "note",
    [
        "Weak: two thirds correct.",
        "It demonstrates the tool; do not draw conclusions.",
        "unreliable for children",
        "Poor labels",
    ],
)
def test_an_annotation_that_is_called_unreliable(note):
    """Only of inferred attributes."""
    assert "described as unreliable: do not rely on this finding" in caveats_of(view_of(source="inferred", note=note))
    assert caveats_of(view_of(source="self-reported", note=note)) == ""


def test_words_that_do_not_call_an_annotation_unreliable():
    view = view_of(source="inferred", note="Binary and perceived, not self-reported; validated on 2,000 faces.")
    assert not any(is_unreliable(a) for a in view.audit.data.attributes)


def test_a_validation_sample_that_leaves_the_sign_open():
    """With a good annotator the sign is certain; with one near chance it is not."""
    good = {"female": {"female": 480, "male": 20}, "male": {"female": 20, "male": 480}}
    bad = {"female": {"female": 11, "male": 9}, "male": {"female": 9, "male": 11}}
    assert caveats_of(view_of(validation=good)) == ""
    assert "(validation sample), the sign of this gap is open" in caveats_of(view_of(validation=bad))


def test_few_subjects():
    """15 subjects in each group: compared, but said to be few."""
    text = caveats_of(view_of(subjects=30))
    assert "Rests on 15 subjects (" in text
    assert "so its uncertainty is underestimated" in text
    assert caveats_of(view_of(subjects=400)) == ""


def test_a_group_that_is_mostly_unannotated():
    assert "66.7 % of the faces have no gender and are not compared" in caveats_of(view_of(unknown=800))
    assert caveats_of(view_of(unknown=200)) == ""
