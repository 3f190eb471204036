"""Mean maps of groups, and the pixels at which a group differs, against means and permutations computed here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairfer.explanations import mean_maps
from fairfer.explanations.explanation_results import GRID
from fairfer.explanations.mean_maps import AlignedMaps, MapSettings
from fairfer.stats.mean_differences import mean_differences

GENDERS = np.array(["female", "male", "unannotated"])


def settings(**changes):
    groups = {(): [()], ("gender",): [("female",), ("male",)]}
    options = {"minimum": 20, "minimum_subjects": 10, "permutations": 200, "seed": 3, "by_subject": False, **changes}
    return MapSettings(groups=options.pop("groups", groups), columns={"gender": "by0"}, **options)


def faces(n=150, shift=0.0, unannotated=5.0, labels=("happiness",)):
    """Pairs and maps: women have more relevance at the top left, by `shift`; faces without a gender have much more."""
    generator = np.random.default_rng(1)
    gender = np.arange(n) % 3
    pairs = pd.DataFrame(
        {
            "sample_id": [f"f{i}" for i in range(n)],
            "label": np.array(labels, object)[np.arange(n) // 3 % len(labels)],
            "outcome": np.where(np.arange(n) % 10 == 9, "FP", "TP"),
            "by0": GENDERS[gender],
            "subject": np.arange(n) // 2,
        }
    )
    maps = generator.normal(size=(n, GRID, GRID)).astype(np.float32)
    maps[gender == 0, :4, :4] += np.float32(shift)
    maps[gender == 2, :4, :4] += np.float32(unannotated)
    return pairs, maps


def aligned(pairs, maps, chosen, size=64):
    result = AlignedMaps(pairs, chosen)
    for first in range(0, len(pairs), size):
        positions = result.wanted(first, min(size, len(pairs) - first))
        result.add(first, positions, maps[first:][positions])
    return result


def expected(pairs, maps, members):
    kept = members & (pairs["outcome"] == "TP").to_numpy()
    shares = maps[kept] / np.abs(maps[kept]).sum(axis=(1, 2), keepdims=True)
    return int(kept.sum()), shares.mean(axis=0)


def test_mean_maps_are_means_of_the_shares_of_recognized_faces():
    pairs, maps = faces(labels=("happiness", "fear"))
    for row in aligned(pairs, maps, settings()).mean_maps(["happiness", "fear"]):
        members = (pairs["label"] == row.label).to_numpy()
        if row.group:
            members = members & (pairs["by0"] == row.group[0]).to_numpy()
        number, mean = expected(pairs, maps, members)
        assert (row.faces, row.subjects, row.status) == (number, None, "ok" if number >= 20 else "small")
        if row.map is not None:
            assert np.allclose(row.map.unpack(), mean, atol=2e-3 * np.abs(mean).max())


def test_a_group_is_compared_with_all_other_annotated_faces():
    """Those without a gender, whose maps differ much, are on neither side."""
    pairs, maps = faces()
    [row] = aligned(pairs, maps, settings()).differences(["happiness"])
    annotated = (pairs["by0"] != "unannotated").to_numpy() & (pairs["outcome"] == "TP").to_numpy()
    assert (row.group, row.faces + row.others, row.comparisons) == (("female",), annotated.sum(), 1)
    assert row.significant == 0
    assert not row.map.unpack().any()


def test_pixels_that_differ_are_kept_and_the_others_are_0():
    pairs, maps = faces(shift=3.0)
    [row] = aligned(pairs, maps, settings()).differences(["happiness"])
    women, men = ((pairs["by0"] == g).to_numpy() for g in ("female", "male"))
    exact = expected(pairs, maps, women)[1] - expected(pairs, maps, men)[1]
    difference = row.map.unpack()
    assert row.p < 0.05
    assert 14 <= np.count_nonzero(difference) <= 18
    assert np.allclose(difference[:4, :4], exact[:4, :4], rtol=0.02)
    assert row.significant == np.count_nonzero(difference) / GRID**2


def test_p_values_are_multiplied_by_the_number_of_comparisons():
    pairs, maps = faces(shift=0.75, labels=("happiness", "fear"))
    settings_ = settings(minimum=5)
    rows = aligned(pairs, maps, settings_).differences(["happiness", "fear"])
    assert [r.comparisons for r in rows] == [2, 2]
    for row in rows:
        used = ((pairs["label"] == row.label) & (pairs["outcome"] == "TP") & (pairs["by0"] != "unannotated")).to_numpy()
        shares = maps[used] / np.abs(maps[used]).sum(axis=(1, 2), keepdims=True)
        stored = (np.asarray(shares * GRID, np.float16).astype(np.float32) / np.float32(GRID)).reshape(used.sum(), -1)
        generator = np.random.default_rng(list(f"3/{row.label}/gender/female".encode()))
        group = (pairs["by0"][used] != "female").to_numpy(int)
        alone = mean_differences(stored, group, generator=generator, permutations=200).p.min()
        assert 0 < alone < 1
        assert row.p == min(2 * alone, 1)


def test_small_groups_and_few_subjects_are_not_compared():
    pairs, maps = faces(n=60)
    [row] = aligned(pairs, maps, settings()).differences(["happiness"])
    assert (row.status, row.p, row.map) == ("small", None, None)
    pairs, maps = faces()
    chosen = settings(by_subject=True, minimum_subjects=200)
    [row] = aligned(pairs, maps, chosen).differences(["happiness"])
    assert row.status == "few_subjects"
    assert (
        aligned(pairs, maps, chosen).mean_maps(["happiness"])[0].subjects
        == pairs["subject"][pairs["outcome"] == "TP"].nunique()
    )


def test_of_three_groups_each_is_compared_with_the_rest():
    pairs, maps = faces()
    groups = {("gender",): [(g,) for g in GENDERS]}
    rows = aligned(pairs, maps, settings(groups=groups)).differences(["happiness"])
    assert [(r.group[0], r.comparisons) for r in rows] == [(g, 3) for g in GENDERS]
    assert rows[2].p < 0.05


def test_maps_that_are_not_defined_are_left_out():
    pairs, maps = faces()
    maps[[0, 3]] = np.nan
    [everyone, *_] = aligned(pairs, maps, settings()).mean_maps(["happiness"])
    assert everyone.faces == (pairs["outcome"] == "TP").sum() - 2
    assert np.isfinite(everyone.map.unpack()).all()


@pytest.mark.parametrize("most", [30, 1000])
def test_of_many_faces_a_random_choice_is_taken(monkeypatch, most):
    monkeypatch.setattr(mean_maps, "MOST_FACES", most)
    pairs, maps = faces()
    everyone = aligned(pairs, maps, settings()).mean_maps(["happiness"])[0]
    assert everyone.faces == min(most, (pairs["outcome"] == "TP").sum())
    assert everyone == aligned(pairs, maps, settings(), size=7).mean_maps(["happiness"])[0]
