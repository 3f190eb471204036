"""What the words of a report mean."""

from __future__ import annotations

from collections.abc import Mapping

GLOSSARY: Mapping[str, tuple[str, str]] = {
    "tpr": (
        "TPR, true positive rate",
        ("Of the faces that show an emotion (or bear a label), the share that the model reads as it. Also called recall."),
    ),
    "fpr": (
        "FPR, false positive rate",
        "Of the faces that show something else, the share that the model wrongly reads as it.",
    ),
    "tnr": (
        "TNR, true negative rate",
        "Of the faces that show something else, the share not read as it; 1 minus the FPR.",
    ),
    "fnr": (
        "FNR, false negative rate",
        "Of the faces that show an emotion, the share that the model misses; 1 minus the TPR.",
    ),
    "one-vs-rest": (
        "One against the rest",
        (
            "How a model with several answers gets the four rates: for each label in turn, every face either "
            "shows it or shows something else, and was either read as it or not."
        ),
    ),
    "support": (
        "n, support",
        "How many faces a rate is computed from. Every rate here shows it.",
    ),
    "coverage": (
        "Answered, coverage",
        ("The share of faces that the model gave any answer for. A face without an answer stays in the count, as missed."),
    ),
    "interval": (
        "Interval",
        ("Where the rate of more faces of the same kind may well lie (Wilson's interval). Fewer faces make it wider."),
    ),
    "expected_by_chance": (
        "Chance gap, beyond chance",
        (
            "The rates of any two groups differ somewhat, even when the model treats them alike. The chance gap "
            "is how far apart the highest and the lowest come when the faces are dealt into groups of these sizes "
            "at random: at most so far in 95 of 100 deals, or in as many as the confidence under Settings says."
        ),
    ),
    "bounds": (
        "Surely at least, surely at most",
        (
            "Some two groups surely differ by at least the one, and no two surely by more than the other, each "
            "with 95 % confidence unless Settings say otherwise. What lies between the two is not known from "
            "these data."
        ),
    ),
    "minimum_detectable": (
        "Smallest gap that could be shown",
        (
            "The smallest true gap that so many faces would bring out beyond chance in four audits of five. "
            "Smaller ones may be there."
        ),
    ),
    "standardized": (
        "Adjusted gap",
        (
            "The gap after every group was given the same mix of labels and of what was adjusted for (direct "
            "standardisation): the mean of its rates within each part of the mix, weighted by how common that "
            "part is among all. A gap that only the mix made goes away."
        ),
    ),
    "rater": (
        "A rater held against the others",
        (
            "How often one of the people who rated a face agrees with what most of the others say: how hard the "
            "task is for a single person. A model that learned from many raters at once may agree with most of "
            "them more often than one of them does. Where the others tie, each winner counts in part."
        ),
    ),
    "entropy": (
        "How far raters agree, vote_entropy",
        "The entropy of a face's votes in bits: 0 when all agree, 1 when they are halved between two answers.",
    ),
    "doubt": (
        "Wrong annotations, by probability",
        (
            "Groups that a model inferred are blurred by its errors. For an assumed share of wrong annotations "
            "the blur is taken out again by inverting the mixture; where the model gave probabilities, each face "
            "also counts for every group as much as it probably belongs to it."
        ),
    ),
    "ducher": (
        "Ducher's Z, NPMI",
        (
            "How far a label goes with a group in the data: 0 when it is as common there as anywhere, 1 when as "
            "far as possible the one never comes without the other, \N{MINUS SIGN}1 when never together. NPMI asks the same of "
            "their probability."
        ),
    ),
    "evenness": (
        "Effective groups, evenness, unevenness",
        (
            "Effective groups: so many equally large groups would be as varied (exponential of Shannon's "
            "entropy). Evenness: 1 when all are equally large. Unevenness (normalised standard deviation): 0 "
            "then, 1 when one group is everyone."
        ),
    ),
    "association": (
        "Cramér's V, Tschuprow's T, Theil's U, NMI, DSAP, overall disparity, Xu's ratio",
        (
            "V, T and NMI: how far label and group go together, 0 to 1; U: the share of the one's uncertainty "
            "that the other takes away. DSAP: how alike the labels' make-up by group is, 1 when the same. Overall "
            "disparity: mean over labels of how far the lowest recall falls short of the highest. Xu's ratio: sum "
            "of the recalls of the worst group over that of the best."
        ),
    ),
    "q": (
        "p and q",
        (
            "p is how often chance alone makes a gap at least this wide. Many gaps are tested at once, so some p "
            "are small by luck; q allows for that (Benjamini and Hochberg): of all gaps with q below .05, about "
            "one in twenty at most is a false alarm."
        ),
    ),
    "not-estimable": (
        "Not estimable, too few",
        (
            "A rate of no faces does not exist; it is shown as \N{EN DASH}, never as 0. A rate of very few faces is shown "
            "hatched and compared with nothing."
        ),
    ),
}
"""Heading and text of each term, by its anchor."""

TERMS: Mapping[str, str] = {
    "TPR": "tpr",
    "FPR": "fpr",
    "TNR": "tnr",
    "FNR": "fnr",
    "one against the rest": "one-vs-rest",
    "beyond chance": "expected_by_chance",
    "chance gap": "expected_by_chance",
    "expected_by_chance": "expected_by_chance",
    "answered": "coverage",
    "not estimable": "not-estimable",
    "hatched": "not-estimable",
    "interval": "interval",
    "q": "q",
    "surely": "bounds",
    "could show": "minimum_detectable",
    "same mix": "standardized",
    "one rater": "rater",
    "entropy": "entropy",
    "Ducher's Z": "ducher",
}
"""Words whose first mention on the page leads to a term."""
