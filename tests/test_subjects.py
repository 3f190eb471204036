"""People: where several pictures show one, intervals and tests are those of people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairfer.metrics.cells import FRACTIONS, Cells

from fairfer import audit, predict, rebuild
from fairfer.errors import UsageError
from fairfer.labels import LabelSpace
from fairfer.metrics.counts import confusion_by_unit
from fairfer.testing import FakeModel

LABELS = LabelSpace.of("two", ["anger", "fear"])


def measured(data, **more):
    return audit(data, predict(data, FakeModel(LABELS)), **{"minimum": 1, "permutations": 400, **more})


def of_people(toy, people, pictures, *, lucky=0.5, seed=0):
    """Each person is always read rightly, or never; women and men alike."""
    generator = np.random.default_rng(seed)
    right = generator.random(people) < lucky
    said = np.repeat(np.where(right, 0, 1), pictures)
    who = np.repeat([f"p{i:03d}" for i in range(people)], pictures)
    group = np.repeat(np.where(np.arange(people) % 2 == 0, "f", "m"), pictures)
    data = toy(["anger"] * len(said), {"g": list(group)}, said=list(said), labels=LABELS)
    return data.replace(samples=data.samples.assign(actor=pd.Series(who, index=data.samples.index)))


def test_more_pictures_of_the_same_people_prove_no_more(toy):
    """Ten times the pictures leave the interval as wide; counted as strangers they would not."""
    one, ten = (measured(of_people(toy, 40, n), by=["g"], subject="actor").rate("accuracy") for n in (1, 10))
    assert one.value == ten.value
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.1)
    strangers = measured(of_people(toy, 40, 10), by=["g"]).rate("accuracy")
    assert strangers.high - strangers.low < 0.5 * (ten.high - ten.low)


@pytest.mark.slow
def test_equal_groups_of_people_seldom_look_unequal(toy):
    """Twenty people, ten pictures each: as strangers most gaps would be beyond chance, as people few are."""
    people, strangers = [], []
    for seed in range(40):
        data = of_people(toy, 20, 10, seed=seed)
        predictions = predict(data, FakeModel(LABELS))
        for found, subject in ((people, "actor"), (strangers, "")):
            shown = audit(data, predictions, ["g"], subject=subject, minimum=1, permutations=200)
            [gap] = [g for g in shown.gaps if g.rate == "accuracy"]
            found.append(gap.p <= 0.05)
    assert np.mean(people) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)
    assert np.mean(strangers) > 0.4


def test_the_number_of_people_is_stated_and_the_rates_stay(toy):
    """Only how sure they are changes; a picture of nobody known is a person of its own."""
    data = of_people(toy, 10, 4)
    plain, people = measured(data, by=["g"]), measured(data, by=["g"], subject="actor")
    assert plain.data.people is None
    assert people.data.people == 10
    assert people.plan.subject == "actor"
    assert [(r.value, r.numerator, r.denominator, r.status) for r in people.rates] == [
        (r.value, r.numerator, r.denominator, r.status) for r in plain.rates
    ]
    unknown = data.samples["actor"].mask(data.samples["actor"] == "p003")
    some = data.replace(samples=data.samples.assign(actor=unknown))
    assert measured(some, by=["g"], subject="actor").data.people == 9 + 4


def test_a_run_with_people_is_rebuilt(tmp_path, toy):
    """The column is kept in the run."""
    data = of_people(toy, 8, 3)
    found = audit(
        data, predict(data, FakeModel(LABELS), tmp_path), ["g"], subject="actor", minimum=1, permutations=100, run=tmp_path
    )
    assert rebuild(tmp_path).to_json() == found.to_json()


def test_people_are_no_grouping_by_themselves(toy):
    """Without --by, every attribute groups but the one that names people."""
    data = of_people(toy, 6, 2)
    data = data.replace(
        attributes=(*data.attributes, data.attributes[0].__class__("actor", tuple(sorted(set(data.samples["actor"])))))
    )
    assert measured(data, subject="actor").groupings == ["g"]


def test_a_column_of_people_that_is_not_there_is_named(toy):
    """One line."""
    with pytest.raises(UsageError, match="--subject actr: toy has no such column; did you mean 'actor'"):
        measured(of_people(toy, 4, 2), by=["g"], subject="actr")


def test_a_person_seen_in_two_groups_is_a_unit_in_each(toy):
    """Glasses on and off: nobody is lost, and rates are those of all pictures."""
    data = of_people(toy, 10, 4)
    data = data.replace(samples=data.samples.assign(g=pd.Series(["f", "m"] * 20, index=data.samples.index, dtype="str")))
    shown = measured(data, by=["g"], subject="actor")
    assert shown.rate("accuracy", attribute="g", group="f").denominator == 20
    [gap] = [g for g in shown.gaps if g.rate == "accuracy"]
    assert gap.p == pytest.approx(1)


def test_cells_are_counted_row_by_row():
    """TP, FN, FP and TN per unit, group and label by masks, with answers not given and labels that are nobody's."""
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "truth": generator.choice(["anger", "fear"], 60),
            "said": generator.choice(["anger", "fear", "joy", "(no_face)"], 60),
            "g": generator.choice(["f", "m"], 60),
            "unit": generator.integers(0, 7, 60),
        }
    )
    counts = confusion_by_unit(frame, [("g",)], "unit")
    cells = Cells.of(counts[counts["attribute"] == "g"], ["anger", "fear"], ["f", "m", "nobody"])
    assert cells.total.sum() == 60
    for e in range(len(cells.total)):
        part = frame[(frame["unit"] == cells.unit[e]) & (frame["g"] == cells.groups[cells.group[e]])]
        assert cells.total[e] == len(part)
        assert cells.right[e] == (part["truth"] == part["said"]).sum()
        assert cells.answered[e] == (part["said"] != "(no_face)").sum()
        for j, label in enumerate(cells.labels):
            true, said = part["truth"] == label, part["said"] == label
            assert cells.tp[e, j] == (true & said).sum()
            assert cells.fn[e, j] == (true & ~said).sum()
            assert cells.fp[e, j] == (~true & said).sum()
            assert cells.tn[e, j] == (~true & ~said).sum()
            for rate in FRACTIONS:
                above, below = cells.fraction(rate, label)
                assert above[e] <= below[e] or rate == "F1"
