"""What a notebook shows of an audit."""

from __future__ import annotations

import html.parser

import numpy as np
import pytest

import fairfer
from fairfer import plugins

GENERATOR = np.random.default_rng(0)
TRUTH = GENERATOR.choice(["fear", "anger"], 400)
GENDER = GENERATOR.choice(["f", "m"], 400)
PREDICTED = np.where((GENDER == "m") & (GENERATOR.random(400) < 0.6), "anger", TRUTH)


@pytest.fixture(scope="module")
def audit():
    return fairfer.audit(TRUTH, PREDICTED, groups={"gender <b>": GENDER}, model_name="<script>alert(1)</script>")


def test_a_notebook_shows_findings_and_the_first_figure(audit):
    """Key findings, overall rates and one figure; everything from data is escaped."""
    shown = audit._repr_html_()
    assert "statistically significant" in shown
    assert "fear TPR" in shown
    assert "Accuracy 0." in shown
    assert shown.count("<img") == 1
    assert "data:image/svg+xml;base64," in shown
    assert "<script>" not in shown
    assert "gender <b>" not in shown
    parser = html.parser.HTMLParser()
    parser.feed(shown)
    parser.close()


def test_an_audit_without_groups_is_shown_too():
    shown = fairfer.audit(TRUTH, PREDICTED)._repr_html_()
    assert "Accuracy 0." in shown


def test_without_a_renderer_the_notebook_falls_back(audit, monkeypatch):
    monkeypatch.setattr(plugins, "registered", lambda group: {})
    assert audit._repr_html_() is None
