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
    "gap": Entry("Gap", "The highest minus the lowest rate among the groups of one grouping.", ("gap",)),
    "expected-by-chance": Entry(
        "Gap expected by chance",
        "Rates of groups differ somewhat even when the model treats all groups alike. The gap expected by chance is the 95th "
        "percentile of the gaps that result when faces are randomly reassigned to groups of the same sizes (permutation test). "
        "If the settings state another confidence level, that percentile is used instead of the 95th.",
        ("expected by chance",),
    ),
    "q": Entry(
        "p, q, statistically significant",
        "p is the probability of a gap at least this large under random reassignment. q is the FDR-adjusted p-value "
        "(Benjamini\N{EN DASH}Hochberg): among all gaps with q < 0.05, at most about 5 % are expected to be false discoveries "
        "(FDR: false discovery rate). A gap is statistically significant when q < 0.05 and it is larger than the gap expected "
        "by chance.",
        ("statistically significant", "q"),
    ),
    "bounds": Entry(
        "Lower and upper confidence bound",
        "With 95 % confidence (or the level that the settings state), the gap is at least the lower bound. With the same "
        "confidence, it is at most the upper bound. Each bound holds separately.",
        ("lower bound", "upper bound", "confidence bounds"),
    ),
    "minimum-detectable": Entry(
        "Minimum detectable difference",
        "The smallest true difference that exceeds the gap expected by chance with 80 % power, given these group sizes. "
        "Smaller differences are likely to be missed.",
        ("minimum detectable difference",),
    ),
    "additional-samples": Entry(
        "Additional sample size needed",
        "The number of additional images per group with which a gap of the observed size would be detected with 80 % power.",
        ("additional sample size needed",),
    ),
    "standardization": Entry(
        "Directly standardized gap",
        "The gap after all groups are given the same distribution of labels and of the listed variables: each group's rate is "
        "the mean of its rates within strata, weighted by the share of each stratum among all faces.",
        ("directly standardized",),
    ),
    "rater": Entry(
        "Human agreement",
        "How often one rater agrees with the majority of the other raters of a face. It shows how hard the task is for a "
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
        "Errors in inferred groups usually make gaps look smaller. Each annotated group is a mixture of the true groups. For "
        "an assumed share of wrong annotations, the correction computes the rates of the true groups from those of the "
        "annotated groups.",
        ("corrected for annotation error",),
    ),
    "probabilistic": Entry(
        "Probabilistic and most likely group membership",
        "If the model that inferred the groups returned probabilities, a face can be counted in its most likely group only, or "
        "in every group, weighted by the probability of that group.",
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
        "explained by the other. DSAP: similarity of the labels' group distributions, 1 when they are equal. Overall "
        "disparity: mean over labels of 1 \N{MINUS SIGN} lowest TPR / highest TPR. Xu's ratio: sum of the TPR values of the "
        "worst group divided by that of the best group.",
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
        "minimum is marked \N{LEFT DOUBLE QUOTATION MARK}too few\N{RIGHT DOUBLE QUOTATION MARK} and is not compared.",
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
