"""Answer times: recorded apart from the predictions, and reported by group."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import fairfer
from fairfer.audits.audit import audit_predictions, rebuild
from fairfer.audits.plan import AuditPlan
from fairfer.errors import UsageError
from fairfer.metrics.answer_times import median_limits
from fairfer.predictions import inference, run_folder
from fairfer.predictions.predictions import Predictions
from fairfer.predictions.times import times_path
from fairfer.testing import FakeModel


@pytest.fixture
def clock(monkeypatch):
    """A clock on which the model's call for n images takes n + 1 seconds."""
    now = [0.0]
    monkeypatch.setattr(inference.time, "perf_counter", lambda: now[0])

    class Timed(FakeModel):
        def predict(self, images):
            now[0] += len(images) + 1
            return super().predict(images)

    return Timed


def test_times_are_recorded_per_image_when_asked(toy, tmp_path, clock):
    """One image at a time; without the option nothing is recorded, so that a run is the same bytes on every machine."""
    data = toy(["anger"] * 5)
    for run in (None, tmp_path / "run"):
        times = fairfer.predict(data, clock(batch_size=4), run, answer_times=True).times
        assert times["seconds"].tolist() == [2.0] * 5
        assert times["images"].tolist() == [1] * 5
        assert list(times.index) == list(data.samples.index)
    assert Predictions.read(tmp_path / "run").times.equals(times)
    assert fairfer.predict(data, clock(), tmp_path / "plain").times is None
    assert not (tmp_path / "plain" / "times").exists()


def test_times_are_not_part_of_the_identity(toy, tmp_path, clock):
    """The predictions of a slow and of a fast machine are the same bytes."""
    data = toy(["anger"] * 5)
    slow = fairfer.predict(data, clock(), tmp_path / "a", answer_times=True)
    plain = fairfer.predict(data, clock(), tmp_path / "b")
    assert slow.digest == plain.digest
    part = run_folder.part_path(tmp_path / "a", 0)
    assert part.read_bytes() == run_folder.part_path(tmp_path / "b", 0).read_bytes()


def test_a_resumed_run_keeps_its_times(toy, tmp_path, clock):
    """Answers without times are made again only if times are asked for."""
    data, run = toy(["anger"] * 3), tmp_path / "run"
    model = clock()
    fairfer.predict(data, model, run)
    first = fairfer.predict(data, model, run, answer_times=True)
    assert sum(model.calls) == 6
    assert fairfer.predict(data, model, run, answer_times=True).times.equals(first.times)
    assert sum(model.calls) == 6
    times_path(run, 0).write_bytes(b"damaged")
    assert Predictions.read(run).times is None
    fairfer.predict(data, clock(version="2"), run, overwrite=True)
    assert not times_path(run, 0).exists()


def test_each_group_has_its_times(toy, tmp_path):
    """Against pandas; an image that could not be read has no time."""
    sexes = ["f", "m", "f", None] * 10
    data = toy(["anger", "fear"] * 20, {"sex": sexes})
    predictions = fairfer.predict(data, FakeModel(), tmp_path / "run")
    seconds = pd.Series(np.random.default_rng(0).gamma(2, 0.1, 40), index=data.samples.index)
    times = pd.DataFrame({"seconds": seconds, "images": 1}).drop(index=data.samples.index[0])
    plan = AuditPlan.of({"by": ["sex"], "permutations": 200, "answer_times": True})
    audit = audit_predictions(data, dataclasses.replace(predictions, times=times), plan)
    rows = {r.group: r for r in audit.answer_times}
    assert [r.status for r in audit.answer_times] == ["ok", "ok", "ok", "unannotated"]
    assert rows[()].images == 39
    of_women = seconds[np.array(sexes, object) == "f"].iloc[1:]
    row = rows["f",]
    assert (row.images, row.images_per_call) == (19, 1)
    assert row.mean == pytest.approx(of_women.mean())
    assert row.median == pytest.approx(of_women.median())
    assert row.percentile_95 == pytest.approx(of_women.quantile(0.95))
    expected = stats.quantile_test(of_women.to_numpy(), p=0.5).confidence_interval(0.95)
    assert (row.low, row.high) == (expected.low, expected.high)


def test_a_group_without_times_is_not_estimable(toy):
    data = toy(["anger", "fear"] * 10, {"sex": ["f", "m"] * 10})
    times = pd.DataFrame({"seconds": 0.5, "images": 7}, index=data.samples.index[::2])
    predictions = dataclasses.replace(fairfer.predict(data, FakeModel()), times=times)
    audit = audit_predictions(data, predictions, AuditPlan.of({"by": ["sex"], "permutations": 200, "answer_times": True}))
    by_group = {r.group: r for r in audit.answer_times}
    assert by_group["f",].images_per_call == 7
    assert (by_group["m",].status, by_group["m",].images, by_group["m",].median) == ("not_estimable", 0, None)


def test_times_are_reported_only_when_asked(toy, tmp_path):
    """An audit is the same bytes on every machine unless it is asked for times."""
    data = toy(["anger", "fear"] * 20, {"sex": ["f", "m"] * 20})
    predictions = fairfer.predict(data, FakeModel(), tmp_path / "run", answer_times=True)
    plain = audit_predictions(data, predictions, AuditPlan.of({"by": ["sex"], "permutations": 200}))
    assert plain.answer_times == []
    plan = AuditPlan.of({"by": ["sex"], "permutations": 200, "answer_times": True})
    asked = audit_predictions(data, predictions, plan, run=tmp_path / "run")
    assert rebuild(tmp_path / "run").answer_times == asked.answer_times
    page = fairfer.write_report(asked, tmp_path / "run").read_text(encoding="utf-8")
    assert "each image was asked for alone" in page
    assert (tmp_path / "run" / "tables" / "answer_times.csv").is_file()


def test_predictions_without_times_are_refused(toy):
    data = toy(["anger", "fear"] * 20, {"sex": ["f", "m"] * 20})
    predictions = dataclasses.replace(fairfer.predict(data, FakeModel()), times=None)
    with pytest.raises(UsageError, match="--answer-times: these predictions have no times"):
        audit_predictions(data, predictions, AuditPlan.of({"by": ["sex"], "answer_times": True}))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.sampled_from([0.8, 0.95, 0.99]))
def test_limits_of_the_median_are_those_of_the_sign_test(values, confidence):
    """Against scipy, which inverts the binomial test."""
    expected = stats.quantile_test(np.array(values), p=0.5).confidence_interval(confidence)
    low, high = median_limits(np.array(values), confidence)
    assert (low is None) == np.isnan(expected.low)
    if low is not None:
        assert (low, high) == (expected.low, expected.high)


def test_a_rank_whose_error_is_exactly_allowed_is_used():
    """P(B < 1) is 0.25 for two values, half of the error at a confidence of 0.5."""
    assert median_limits(np.array([2.0, 1.0]), 0.5) == (1.0, 2.0)
