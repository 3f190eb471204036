"""Exact duplicates: images with the same pixels, within a dataset and in its other splits.

FER2013 has about 1,500 groups of exact duplicates, many of them across Train and Test. A model that was trained on one image of
a group has seen the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd

from fairfer.datasets.dataset import DUPLICATE_GROUP, Dataset, Step
from fairfer.datasets.images import Images, UnreadableImageError


@dataclass(frozen=True)
class OtherImages:
    """Images that are not in the dataset, such as those of its other splits.

    Attributes
    ----------
    images, sample_ids
        The images, and which of them to compare with.
    where
        Name for the report, such as ``train, valid``.
    """

    images: Images
    sample_ids: Sequence[str]
    where: str


def pixel_digests(images: Images, sample_ids: Sequence[str]) -> list[bytes]:
    """Digest of the shape and pixels of each image; empty if it cannot be read."""

    def digest(sample_id: str) -> bytes:
        try:
            picture = images.decode(images.raw(sample_id), sample_id)
        except UnreadableImageError:
            return b""
        return hashlib.blake2b(picture.tobytes(), digest_size=16, key=repr(picture.shape).encode()).digest()

    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter lock
        return list(pool.map(digest, sample_ids, chunksize=64) if len(sample_ids) > 1 else map(digest, sample_ids))


def file_digests(images: Images, sample_ids: Sequence[str]) -> list[bytes]:
    """Digest of the stored bytes of each image; empty if it cannot be read. Much faster than decoding."""

    def digest(sample_id: str) -> bytes:
        try:
            return hashlib.blake2b(images.raw(sample_id), digest_size=16).digest()
        except UnreadableImageError:
            return b""

    return [digest(name) for name in sample_ids]


def check_duplicates(dataset: Dataset, other: OtherImages | None = None, *, dedupe: bool) -> Dataset:
    """Count exact duplicates, and exclude them if asked to.

    Parameters
    ----------
    dataset
        Its images are compared with each other by their pixels.
    other
        Images of other splits. They are compared by their pixels if duplicates are excluded. If they are only counted, they are
        compared by their stored bytes, because decoding a training split takes longer than many audits.
    dedupe
        Keep the first image of each group of exact duplicates, and no image that is also in `other`.

    Returns
    -------
    Dataset
        With steps that say how many duplicates there are, or how many were excluded. A dataset with votes gets the column
        `DUPLICATE_GROUP` if it keeps duplicates.
    """
    if dataset.images is None:
        return dataset
    digests = pd.Series(pixel_digests(dataset.images, _ids(dataset)), index=dataset.samples.index)
    return _exclude(dataset, digests, other) if dedupe else _count(dataset, digests, other)


def _ids(dataset: Dataset) -> list[str]:
    return [str(i) for i in dataset.samples.index]


def _exclude(dataset: Dataset, digests: pd.Series, other: OtherImages | None) -> Dataset:
    repeated = digests.duplicated() & (digests != b"")
    steps = [Step("exact duplicates of an earlier image (--dedupe)", int(repeated.sum()))]
    keep = ~repeated
    if other is not None:
        elsewhere = digests.isin(set(pixel_digests(other.images, other.sample_ids)) - {b""})
        steps.append(Step(f"exact duplicates of an image in {other.where} (--dedupe)", int((elsewhere & keep).sum())))
        keep &= ~elsewhere
    return dataset.replace(
        samples=dataset.samples[keep],
        votes=None if dataset.votes is None else dataset.votes[keep],
        steps=(*dataset.steps, *steps),
    )


def _count(dataset: Dataset, digests: pd.Series, other: OtherImages | None) -> Dataset:
    repeated = digests.duplicated() & (digests != b"")
    in_group = digests.duplicated(keep=False) & (digests != b"")
    remarks = []
    if repeated.any():
        groups = digests[in_group].nunique()
        remarks.append(
            Step(f"images that are exact duplicates of an earlier one: {int(repeated.sum()):,} in {groups:,} groups (kept)")
        )
        if dataset.votes is not None:  # label consistency is measured on duplicates that were rated separately
            group = digests.map(bytes.hex).where(in_group, "").astype("str")
            dataset = dataset.replace(samples=dataset.samples.assign(**{DUPLICATE_GROUP: group}))
    if other is not None and dataset.images is not None:
        files = set(file_digests(other.images, other.sample_ids)) - {b""}
        elsewhere = sum(d in files for d in file_digests(dataset.images, _ids(dataset)))
        if elsewhere:
            remarks.append(Step(f"images that also occur in {other.where}: {elsewhere:,} (kept)"))
    return dataset.replace(steps=(*dataset.steps, *remarks))
