"""Pictures that occur more than once: exact pixel twins within a data set and in its other splits.

FER2013 holds some 1,500 groups of such twins, many of them across Train and Test: a model that was trained on one has seen the
other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from fairfer.datasets.dataset import DUPLICATE_GROUP, Dataset, Step
from fairfer.datasets.images import Images, UnreadableImageError


def pixel_digests(images: Images, sample_ids: Sequence[str]) -> list[bytes]:
    """A digest of each picture's shape and pixels; empty where it cannot be read."""

    def digest(sample_id: str) -> bytes:
        try:
            picture = images.decode(images.raw(sample_id), sample_id)
        except UnreadableImageError:
            return b""
        return hashlib.blake2b(picture.tobytes(), digest_size=16, key=repr(picture.shape).encode()).digest()

    with ThreadPoolExecutor() as pool:  # decoding happens outside of Python's lock
        return list(pool.map(digest, sample_ids, chunksize=64) if len(sample_ids) > 1 else map(digest, sample_ids))


def file_digests(images: Images, sample_ids: Sequence[str]) -> list[bytes]:
    """A digest of each picture's stored bytes; empty where there are none. Much cheaper than decoding."""

    def digest(sample_id: str) -> bytes:
        try:
            return hashlib.blake2b(images.raw(sample_id), digest_size=16).digest()
        except UnreadableImageError:
            return b""

    return [digest(name) for name in sample_ids]


def report_twins(dataset: Dataset, elsewhere: Images | None, other_ids: Sequence[str], where: str, *, dedupe: bool) -> Dataset:
    """State how many pictures have exact twins, and leave them out when asked.

    Parameters
    ----------
    dataset
        Its pictures are compared with one another, pixel for pixel.
    elsewhere, other_ids, where
        Pictures that the data set does not hold (its other splits) and what to call them. They are compared pixel for pixel
        when twins are to be left out; a mere remark compares stored bytes, as decoding a whole training split takes longer than
        many an audit.
    dedupe
        Keep the first of each group of twins, and none that also occurs elsewhere.

    Returns
    -------
    Dataset
        With steps that say what was found or left out.
    """
    if dataset.images is None:
        return dataset
    images = dataset.images
    ids = [str(i) for i in dataset.samples.index]
    own = pd.Series(pixel_digests(images, ids), index=dataset.samples.index)
    readable = own != b""
    later = own.duplicated() & readable
    if dedupe:
        others = set(pixel_digests(elsewhere, other_ids)) - {b""} if elsewhere is not None else set()
        outside = own.isin(others)
        keep = ~later & ~outside
        steps = [Step("exact pixel twins of an earlier picture (--dedupe)", int(later.sum()))]
        if elsewhere is not None:
            steps.append(Step(f"with an exact pixel twin in {where} (--dedupe)", int((outside & ~later).sum())))
        return dataset.replace(
            samples=dataset.samples[keep],
            votes=None if dataset.votes is None else dataset.votes[keep],
            steps=(*dataset.steps, *steps),
        )
    remarks = []
    if dataset.votes is not None and later.any():
        # Twins that were rated apart tell how far ratings repeat.
        twin = own.map(bytes.hex).where(own.duplicated(keep=False) & readable, "").astype("str")
        dataset = dataset.replace(samples=dataset.samples.assign(**{DUPLICATE_GROUP: twin}))
    if later.any():
        groups = own[own.duplicated(keep=False) & readable].nunique()
        remarks.append(Step(f"pictures that repeat an earlier one pixel for pixel: {int(later.sum()):,} in {groups:,} groups"))
    if elsewhere is not None:
        others = set(file_digests(elsewhere, other_ids)) - {b""}
        outside = pd.Series(file_digests(images, ids)).isin(others)
        if outside.any():
            remarks.append(Step(f"pictures whose very file also lies in {where}: {int(outside.sum()):,}"))
    return dataset.replace(steps=(*dataset.steps, *remarks))
