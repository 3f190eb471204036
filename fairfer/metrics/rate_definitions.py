"""Rates of one label as sums of its four counts; without numpy, so that the gate can use them."""

from __future__ import annotations

from collections.abc import Mapping

LABEL_RATES: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]] = {
    "TPR": ({"tp": 1}, {"tp": 1, "fn": 1}),
    "FNR": ({"fn": 1}, {"tp": 1, "fn": 1}),
    "FPR": ({"fp": 1}, {"fp": 1, "tn": 1}),
    "TNR": ({"tn": 1}, {"fp": 1, "tn": 1}),
    "PPV": ({"tp": 1}, {"tp": 1, "fp": 1}),
    "selection rate": ({"tp": 1, "fp": 1}, {"tp": 1, "fn": 1, "fp": 1, "tn": 1}),
    "prevalence": ({"tp": 1, "fn": 1}, {"tp": 1, "fn": 1, "fp": 1, "tn": 1}),
    "prediction bias": ({"fp": 1, "fn": -1}, {"tp": 1, "fn": 1, "fp": 1, "tn": 1}),
    "F1": ({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}),
}
"""Numerator and denominator of each rate of one label, as weights of the four counts."""

LABEL_PROPORTIONS = ("TPR", "FNR", "FPR", "TNR", "PPV", "selection rate", "prevalence")
"""Rates of one label that are a share of independent trials. Prediction bias is a difference of two, F1 a harmonic mean."""
