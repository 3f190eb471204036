"""Definitions of the terms in a report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A definition.

    Attributes
    ----------
    heading
        The term and its synonyms.
    text
        The definition.
    mentions
        Words whose first mention on the page links to the definition.
    """

    heading: str
    text: str
    mentions: tuple[str, ...] = ()


GLOSSARY: Mapping[str, Entry] = {
    "tpr": Entry(
        "TPR, true positive rate (recall, sensitivity)",
        "Of the faces with a label, the share classified as that label. Faces without a prediction count as missed.",
        ("TPR",),
    ),
    "fpr": Entry(
        "FPR, false positive rate",
        "Of the faces with another label, the share misclassified as this label.",
        ("FPR",),
    ),
    "tnr": Entry(
        "TNR, true negative rate (specificity)",
        "Of the faces with another label, the share not classified as this label: 1 \N{MINUS SIGN} FPR.",
        ("TNR",),
    ),
    "fnr": Entry(
        "FNR, false negative rate (miss rate)",
        "Of the faces with a label, the share not classified as that label: 1 \N{MINUS SIGN} TPR.",
        ("FNR",),
    ),
    "ppv": Entry(
        "PPV, positive predictive value (precision)",
        "Of the faces classified as a label, the share that have it.",
        ("PPV",),
    ),
    "one-vs-rest": Entry(
        "One-vs-rest",
        "Each label is evaluated as a two-class problem: faces with the label vs. all other faces.",
        ("one-vs-rest",),
    ),
    "support": Entry("n, support", "The number of faces in the denominator of a rate."),
    "coverage": Entry(
        "Coverage",
        "The share of faces for which the model returned a prediction.",
        ("coverage",),
    ),
    "interval": Entry(
        "Confidence interval",
        "The range of true rates that are compatible with the data (Wilson interval). With a subject column, it accounts for "
        "several images of one subject. It is wider when there are fewer faces.",
        ("confidence interval", "confidence intervals"),
    ),
    "gap": Entry("Gap", "The highest minus the lowest rate among the compared groups of one grouping.", ("gap",)),
    "difference": Entry(
        "Difference, leading difference, the rest",
        "A difference is the rate of one group minus that of another group, or minus that of the rest: all other compared "
        "groups together. The leading difference of a significant gap is the significant difference whose lower bound is "
        "largest. Findings name it, and are ordered by this bound.",
        ("leading difference",),
    ),
    "expected-by-chance": Entry(
        "Gap expected by chance",
        "Rates of groups differ somewhat even when the model treats all groups alike. The gap expected by chance is the 95th "
        "percentile of the gaps that result when faces are randomly reassigned to groups of the same sizes (permutation test). "
        "If the settings state another confidence level, that percentile is used instead of the 95th. It shows how large gaps "
        "are by chance. It does not decide whether a gap is significant.",
        ("expected by chance",),
    ),
    "q": Entry(
        "p, q, statistically significant",
        "p is the probability, under random reassignment, of a difference between two groups, or between a group and the rest, "
        "that is at least as large in relation to its standard error as the largest observed one. q is the FDR-adjusted "
        "p-value (Benjamini\N{EN DASH}Hochberg): among all gaps with q < 0.05, at most about 5 % are expected to be false "
        "discoveries (FDR: false discovery rate). A gap is statistically significant when q < 0.05. The p-value of a "
        "difference is adjusted for all differences of its gap.",
        ("statistically significant", "q"),
    ),
    "borderline": Entry(
        "Borderline",
        "A p-value is estimated from random permutations. A gap is borderline when its p-value is so near the threshold that "
        "even the largest number of permutations leaves the result open.",
        ("borderline",),
    ),
    "cannot-be-significant": Entry(
        "Cannot be significant",
        "No distribution of the same hits over the same groups would be significant, for example when nearly all faces or "
        "nearly none are recognized. Such a gap is not tested and is not among the gaps that q adjusts for.",
        ("cannot be significant",),
    ),
    "bounds": Entry(
        "Lower and upper confidence bound",
        "Bounds of a significant difference are FCR-adjusted: they allow for the selection of significant gaps, so that over "
        "the significant gaps of an audit at most about 5 % are expected to have a bound that excludes the true difference "
        "(FCR: false coverage rate). A gap that is not significant has an upper bound only: with 95 % confidence (or the level "
        "that the settings state), no two groups differ by more. This confidence is that of each gap alone.",
        ("confidence bounds", "upper bound", "lower bound", "FCR-adjusted"),
    ),
    "minimum-detectable": Entry(
        "Minimum detectable difference",
        "The smallest true difference between the two smallest groups that is statistically significant in this audit with "
        "80 % power. Smaller differences are likely to be missed.",
        ("minimum detectable difference",),
    ),
    "additional-samples": Entry(
        "Additional sample size needed",
        "The number of additional images, by group, with which a gap is statistically significant in this audit with 80 % "
        "power, if the observed differences are the true ones.",
        ("additional sample size needed",),
    ),
    "standardization": Entry(
        "Directly standardized gap",
        "The gap after all groups are given the same distribution of labels and of the listed variables: each group's rate is "
        "the mean of its rates within strata, weighted by the share of each stratum among all faces. Only strata with faces of "
        "every group are compared. The change from the gap over the same faces before has a confidence interval of its own. It "
        "does not show a cause.",
        ("directly standardized",),
    ),
    "rater": Entry(
        "Human agreement",
        "How often one rater agrees with the majority of the other raters of a face. Where the votes of all rated faces are "
        "known, the votes of the others alone select the faces. It shows how hard the task is for a "
        "person. It is not an upper limit for a model that was trained on the votes of many raters. Ties among the other "
        "raters count in equal parts.",
        ("human agreement",),
    ),
    "entropy": Entry(
        "Vote entropy",
        "The entropy of a face's votes in bits: 0 when all raters agree, 1 when the votes are split evenly between two labels.",
        ("vote entropy",),
    ),
    "correction": Entry(
        "Correction for annotation error",
        "Each annotated group is a mixture of the true groups. The correction computes the rates of the true groups from those "
        "of the annotated groups, by the confusion matrix of a validation sample or for an assumed share of wrong annotations "
        "in all groups or in one of them. It assumes that errors depend on the true group only.",
        ("corrected for annotation error",),
    ),
    "probabilistic": Entry(
        "Probabilistic and most likely group membership",
        "If the model that inferred the groups returned probabilities, a face can be counted in its most likely group only, or "
        "in every group, weighted by the probability of that group. The latter dilutes a gap by itself, even if the "
        "probabilities are correct.",
        ("probabilistic group membership",),
    ),
    "ducher": Entry(
        "Ducher's Z, NPMI",
        "Association of one label with one group in the data: 0 when independent, 1 for the strongest possible association, "
        "\N{MINUS SIGN}1 when they never occur together. NPMI is the normalized pointwise mutual information.",
        ("Ducher's Z",),
    ),
    "evenness": Entry(
        "Effective number of groups, evenness, normalized standard deviation",
        "Effective number of groups: the number of equally large groups with the same Shannon entropy. Evenness: 1 when all "
        "groups are equally large. Normalized standard deviation: 0 when all groups are equally large, 1 when everyone is in "
        "one group.",
    ),
    "association": Entry(
        "Cramér's V, Tschuprow's T, Theil's U, NMI, DSAP, overall disparity, Xu's ratio",
        "V, T and NMI: strength of association of label and group, from 0 to 1. U: the share of the uncertainty in one that is "
        "removed by knowing the other. DSAP: similarity of the labels' group distributions, 1 when they are equal. Overall "
        "disparity: mean over labels of the mean of 1 \N{MINUS SIGN} TPR / highest TPR of all groups but the best; 0 when all "
        "are equal, 1 when only one group is ever recognized. Xu's ratio: lowest divided by highest macro recall (mean TPR "
        "over labels) of a group.",
    ),
    "summary-indices": Entry(
        "Summary indices: MERG, SER, MERA, Gini, GARBE, Fairness Discrepancy Rate, inequity rate, impact ratio",
        "Largest error rate divided by the geometric mean, by the smallest, and by the mean of all groups (MERG, SER, MERA). "
        "Gini: mean absolute difference between two groups, divided by twice the mean, from 0 to 1. GARBE: mean of the Gini "
        "of FPR and FNR. Fairness Discrepancy Rate: 1 minus the mean of the differences in FPR and FNR. Inequity rate: "
        "geometric mean of the SER of FPR and FNR. Impact ratio: lowest divided by highest selection rate.",
        ("summary index", "Fairness Discrepancy Rate", "impact ratio"),
    ),
    "not-estimable": Entry(
        "Not estimable, too few",
        "A rate with a denominator of 0 is not estimable and is shown as \N{EN DASH}. A rate with a denominator below the "
        "minimum number of faces (or of subjects, with a subject column) is "
        "marked \N{LEFT DOUBLE QUOTATION MARK}too few\N{RIGHT DOUBLE QUOTATION MARK} and is not compared.",
        ("not estimable", "too few"),
    ),
}
"""Definitions by their anchors on the page."""

_ANCHORS = {word: anchor for anchor, entry in GLOSSARY.items() for word in entry.mentions}
_MENTION = re.compile(rf"(?<![\w-])(?:{'|'.join(re.escape(w) for w in sorted(_ANCHORS, key=len, reverse=True))})(?![\w-])")


def mentions(text: str) -> list[tuple[int, int, str]]:
    """Start, end and anchor of each defined term in a text.

    >>> mentions("TPR of men")
    [(0, 3, 'tpr')]
    """
    return [(m.start(), m.end(), _ANCHORS[m[0]]) for m in _MENTION.finditer(text)]
