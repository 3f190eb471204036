"""From maps to findings: models that look where they should not, exposed; and one that treats all alike, not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairfer.explanations.alignment import align
from fairfer.explanations.face_shape import POINTS, TEMPLATE
from fairfer.explanations.own_units import own_units
from fairfer.explanations.region_comparison import compare_regions
from fairfer.explanations.region_table import region_relevance
from fairfer.explanations.regions import own_region, region_masks
from fairfer.explanations.relevance import measures
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.stats.pixel_differences import pixel_differences

SIDE = 24
FRAME = (0, 0, SIDE, SIDE)
SETTINGS = MetricSettings(minimum=20, confidence=0.95, permutations=199, seed=0)


def explained(looks_at, faces=160, seed=0):
    """Maps of a model that looks at one region, by gender, of faces that differ in place, size and turn; and their measures."""
    generator = np.random.default_rng(seed)
    maps, frames, aligned = [], [], []
    for i in range(faces):
        gender = ("female", "male")[i % 2]
        turn = np.exp(1j * generator.normal(0, 0.1)) * generator.uniform(0.8, 1.05)
        moved = (TEMPLATE[:POINTS] @ [1, 1j] - (0.5 + 0.5j)) * turn + (0.5 + 0.5j) + generator.normal(0, 0.01, 2) @ [1, 1j]
        points = SIDE * np.stack([moved.real, moved.imag], axis=1)
        masks = region_masks(points, 68, FRAME, (SIDE, SIDE))
        relevance = masks[looks_at[gender]] * generator.gamma(2, 1, (SIDE, SIDE)) + generator.normal(0, 0.2, (SIDE, SIDE))
        own = own_region(own_units("happiness"), points, 68, FRAME, (SIDE, SIDE))
        frames.append(measures(relevance[None], masks.masks, own).assign(sample_id=str(i), gender=gender))
        aligned.append(align(relevance, points, 68, FRAME, size=SIDE))
        maps.append(relevance)
    frame = pd.concat(frames, ignore_index=True)
    frame[["label", "truth", "predicted", "outcome"]] = ["happiness", "happiness", "happiness", "TP"]
    return frame, np.stack(aligned)


def test_a_model_that_looks_at_hair_for_one_group_is_exposed():
    frame, aligned = explained({"female": "background", "male": "mouth"})
    (result,) = compare_regions(frame, [("gender",)], SETTINGS)
    background = next(d for d in result.differences if d.region == "background")
    assert (background.group, background.reference, background.significant) == (("female",), ("male",), True)
    assert background.low > 0.4
    rows = {(r.group[0], r.region): r for r in region_relevance(frame, [("gender",)], SETTINGS)}
    assert rows["female", "background"].density > 1.5
    assert rows["male", "background"].density < 0.9
    assert rows["female", "own"].density < 2 < rows["male", "own"].density
    assert rows["male", "own"].rank_accuracy > 2 * rows["female", "own"].rank_accuracy
    pixels = pixel_differences(aligned, (frame["gender"] == "male").astype(int), generator=np.random.default_rng(0))
    template = region_masks(None, None, FRAME, (SIDE, SIDE))
    inner_mouth = template["mouth"] == 1
    assert (pixels.difference[0][inner_mouth & pixels.significant[0]] < 0).all()
    assert pixels.significant[0][inner_mouth].mean() > 0.8
    assert pixels.significant[0][template["cheeks"] == 1].mean() < 0.2


def test_a_model_that_looks_only_at_the_mouth_does_so_for_all():
    frame, _ = explained({"female": "mouth", "male": "mouth"})
    rows = region_relevance(frame, [("gender",)], SETTINGS)
    for group in ("female", "male"):
        most = max((r for r in rows if r.group == (group,) and r.region != "own"), key=lambda r: r.density)
        assert most.region == "mouth"
        assert most.low > 0.5
    assert not compare_regions(frame, [("gender",)], SETTINGS)[0].significant


@pytest.mark.slow
def test_a_model_that_treats_all_alike_is_accused_in_at_most_5_percent():
    """200 runs of a model that looks at every nose, on other faces each time, of random groups."""
    pool, _ = explained({"female": "nose", "male": "nose"}, faces=400)
    hits = 0
    for seed in range(200):
        frame = pool.sample(80, random_state=seed).assign(
            gender=np.random.default_rng(seed).permutation(["female", "male"] * 40)
        )
        hits += compare_regions(frame, [("gender",)], SETTINGS)[0].significant
    assert hits <= 200 * (0.05 + 3 * np.sqrt(0.05 * 0.95 / 200))
