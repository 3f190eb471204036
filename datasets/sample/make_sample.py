"""Make the bundled sample: k-Same averages of FER+ Test, every picture five people and none of them.

    python datasets/sample/make_sample.py --data FERPLUS --out datasets/sample

Method: k-Same de-identification (Newton, Sweeney and Malin 2005, "Preserving privacy by de-identifying face images", IEEE TKDE
17(2)), k = 5, inside each cell of emotion x gender x race:

1. The faces that FER+'s official majority rule keeps (3,137).
2. Left out: every face with an exact pixel twin in Train, and all but one of each group of exact or near duplicates within Test
   (also mirrored, shifted, rescaled, or of other brightness and contrast). Candidates are found by correlation of band-passed
   faces at a few shifts and mirrored, then verified by correlation of their fine detail at five scales; the bounds were set by
   looking at pairs, and err on the side of leaving out.
3. In each cell: a face and the four unused ones most like it form a group and are used up. Two so alike that they may show
   one person never share a group.
4. The five are laid over one another (mirrored, shifted by up to 3 pixels), brought to one mean and contrast, and
   averaged, a source that stands out with a smaller weight (0.12 at least), so that all five are about equally like it.
5. Checked for each picture: how like it is to its likest source, and by how much that source stands out from the other four.

Only the averages, and the label, gender and race that their five sources share, are written; no name or number of a source is.
Everything is decided by the seed: same data, same libraries, same bytes.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

K = 5
LEAST_WEIGHT = 0.12  # of a source in its average; plain averaging gives each 0.2
SIDE = 48
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
CANDIDATE = 0.72  # coarse correlation from which a pair is looked at closely
SAME_PICTURE = 0.66  # correlation of fine detail from which it counts as one picture; the two kinds part around 0.75
MAY_BE_ONE_PERSON = 0.66  # coarse correlation above which two faces never share an average
STANDS_OUT = 0.12  # most by which the likest source may exceed the mean of the other four
LIKEST = 0.86  # most that a picture may correlate with any source
GREY_LEVELS = 64  # an average needs no more, and the files are smaller

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Faces:
    """Pictures (n, 48, 48), and for Test the cell of each: emotion, gender, race."""

    pictures: Floats
    cells: list[tuple[str, str, str]]


def read_split(root: Path, split: str) -> tuple[list[str], Floats, Ints]:
    """Names, pictures and votes of one split in the official layout."""
    folder = root / "data" / f"FER2013{split}"
    with (folder / "label.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    pictures = np.stack([np.asarray(Image.open(folder / r[0]).convert("L"), np.float32) for r in rows])
    return [r[0] for r in rows], pictures, np.array([[int(v) for v in r[2:12]] for r in rows])


def read_test(root: Path) -> Faces:
    """The faces of Test that the official majority rule keeps, with their cells."""
    names, pictures, votes = read_split(root, "Test")
    kept = np.where(votes <= 1, 0, votes)
    label = kept.argmax(1)
    chosen = (2 * kept.max(1) > kept.sum(1)) & (label < len(EMOTIONS))
    with (root / "demographics.csv").open(newline="", encoding="utf-8") as file:
        people = {row["image"]: (row["gender"], row["race"]) for row in csv.DictReader(file)}
    cells = [(EMOTIONS[label[i]], *people[names[i]]) for i in np.flatnonzero(chosen)]
    return Faces(pictures[chosen], cells)


def unit(values: Floats) -> Floats:
    """Rows with mean 0 and length 1, so that a product of rows is a correlation."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(1, keepdims=True)
    rows: Floats = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return rows


def band(pictures: Floats, fine: float, coarse: float) -> Floats:
    """What lies between two scales: without the lighting, and for duplicates without noise."""
    blurred = gaussian_filter(pictures, (0, coarse, coarse), mode="nearest")
    return np.asarray(gaussian_filter(pictures, (0, fine, fine), mode="nearest") - blurred, np.float32)


def halve(pictures: Floats) -> Floats:
    """Means of 2x2 pixels."""
    n, height, width = pictures.shape
    return np.asarray(pictures.reshape(n, height // 2, 2, width // 2, 2).mean((2, 4)), np.float32)


def coarse_likeness(some: Floats, many: Floats) -> Floats:
    """(len(some), len(many)) best correlation of band-passed faces over shifts of -2, 0, 2 pixels and both orientations."""
    whole = unit(halve(many[:, 2:46, 2:46])).T.copy()
    best = np.full((len(some), len(many)), -1, np.float32)
    for mirrored in (some, some[:, :, ::-1]):
        for down in (0, 2, 4):
            for across in (0, 2, 4):
                moved = unit(halve(mirrored[:, down : down + 44, across : across + 44]))
                for start in range(0, len(some), 512):
                    part = slice(start, start + 512)
                    np.maximum(best[part], moved[part] @ whole, out=best[part])
    return best


def scaled(picture: Floats, factor: float) -> Floats:
    """The picture enlarged about its centre, cut to the same size; edges are repeated where it shrinks."""
    half = SIDE / factor / 2
    box = (SIDE / 2 - half, SIDE / 2 - half, SIDE / 2 + half, SIDE / 2 + half)
    wide = Image.fromarray(np.pad(picture, SIDE // 4, mode="edge"))
    moved = tuple(edge + SIDE // 4 for edge in box)
    return np.asarray(wide.transform((SIDE, SIDE), Image.Transform.EXTENT, moved, Image.Resampling.BICUBIC), np.float32)


def views(picture: Floats) -> Floats:
    """Fine detail of a face at five scales, both orientations and shifts up to 4 pixels, as unit rows."""
    cuts = []
    for factor in (0.92, 0.95, 1.0, 1.05, 1.09):
        detail = band(scaled(picture, factor)[None], 0.6, 2.0)[0]
        cuts += [
            np.lib.stride_tricks.sliding_window_view(side[2:46, 2:46], (36, 36)).reshape(-1, 36, 36)
            for side in (detail, detail[:, ::-1])
        ]
    return unit(np.concatenate(cuts))


def leave_out_duplicates(faces: Floats, train: Floats) -> tuple[NDArray[np.bool_], Floats, dict[str, int]]:
    """Which Test faces may be used, how like they are to one another (coarsely), and how many went for which reason."""
    in_train = {picture.tobytes() for picture in train}
    exact = np.array([picture.tobytes() in in_train for picture in faces])
    usable = ~exact
    like = coarse_likeness(band(faces, 1.0, 6.0), band(faces, 1.0, 6.0))
    like = np.maximum(like, like.T)
    centre = unit(band(faces, 0.6, 2.0)[:, 6:42, 6:42])
    within = 0
    for i in range(len(faces)):
        earlier = np.flatnonzero(usable[:i] & (like[i, :i] >= CANDIDATE))
        if usable[i] and len(earlier) and float((views(faces[i]) @ centre[earlier].T).max()) >= SAME_PICTURE:
            usable[i] = False
            within += 1
    counts = {
        "majority faces": len(faces),
        "exact twin in Train": int(exact.sum()),
        "exact or near duplicate within Test": within,
        "usable": int(usable.sum()),
    }
    return usable, like, counts


def group_faces(members: Ints, like: Floats, generator: np.random.Generator) -> list[Ints]:
    """Groups of K faces of one cell: a face and the unused ones most like it, none of them so alike as to be one person."""
    unused = [int(i) for i in generator.permutation(members)]
    groups = []
    while len(unused) >= K:
        first = unused.pop(0)
        group = [first]
        for candidate in sorted(unused, key=lambda i: (-like[first, i], i)):
            if all(like[candidate, other] < MAY_BE_ONE_PERSON for other in group):
                group.append(candidate)
            if len(group) == K:
                break
        if len(group) == K:
            unused = [i for i in unused if i not in group]
            groups.append(np.array(group))
    return groups


def aligned(pictures: Floats) -> Floats:
    """Each face mirrored and shifted by up to 3 pixels so as to lie best on the first; edges are repeated."""
    laid = [pictures[0]]
    centre = unit(band(pictures[:1], 1.0, 6.0)[:, 6:42, 6:42])[0]
    for picture in pictures[1:]:
        moves = [
            np.pad(side, 3, mode="edge")[down : down + SIDE, across : across + SIDE]
            for side in (picture, picture[:, ::-1])
            for down in range(7)
            for across in range(7)
        ]
        scores = unit(band(np.stack(moves), 1.0, 6.0)[:, 6:42, 6:42]) @ centre
        laid.append(moves[int(scores.argmax())])
    return np.stack(laid)


def average(pictures: Floats) -> NDArray[np.uint8]:
    """The mean of faces brought to one mean and contrast, with the mean brightness and contrast of its sources.

    A source that the plain mean resembles more than the others gets a smaller weight, until all five are about equally like it.
    """
    means, contrasts = pictures.mean((1, 2), keepdims=True), pictures.std((1, 2), keepdims=True)
    level = (pictures - means) / np.maximum(contrasts, 1)
    weights = np.full(len(pictures), 1 / len(pictures))
    for _ in range(20):
        near = likeness_to_sources(np.tensordot(weights, level, 1), level)
        weights = weights * np.exp(-2 * (near - near.mean()))
        weights = np.clip(weights / weights.sum(), LEAST_WEIGHT, None)
        weights /= weights.sum()
    mean = np.tensordot(weights, level, 1)
    picture = mean / max(float(mean.std()), 1e-6) * float(contrasts.mean()) + float(means.mean())
    step = 256 // GREY_LEVELS
    return np.asarray(np.clip(np.round(picture / step) * step, 0, 255), np.uint8)


def likeness_to_sources(picture: NDArray[np.floating] | NDArray[np.uint8], sources: Floats) -> Floats:
    """Correlation of a picture with each of its sources, their lighting removed."""
    views = band(np.concatenate([picture[None].astype(np.float32), sources]), 0.6, 8.0)
    rows = unit(views)
    return np.asarray(rows[1:] @ rows[0], np.float32)


def make(root: Path, out: Path, seed: int) -> dict[str, object]:
    """Write the sample and return what its README states."""
    faces = read_test(root)
    train = read_split(root, "Train")[1]
    usable, like, counts = leave_out_duplicates(faces.pictures, train)
    generator = np.random.default_rng(seed)
    made: list[tuple[NDArray[np.uint8], tuple[str, str, str]]] = []
    likest: list[float] = []
    stands_out: list[float] = []
    sources: list[Ints] = []
    refused = 0
    too_few: dict[str, int] = {}
    for cell in sorted(set(faces.cells)):
        members = np.array([i for i, c in enumerate(faces.cells) if c == cell and usable[i]], dtype=np.int64)
        if len(members) < K:
            too_few[" ".join(cell)] = len(members)
            continue
        for group in group_faces(members, like, generator):
            laid = aligned(faces.pictures[group])
            picture = average(laid)
            near = likeness_to_sources(picture, laid)
            excess = float(near.max() - np.delete(near, near.argmax()).mean())
            if near.max() > LIKEST or excess > STANDS_OUT:
                refused += 1
                continue
            made.append((picture, cell))
            sources.append(group)
            likest.append(float(near.max()))
            stands_out.append(excess)
    write(out, made, generator)
    return {
        "faces": counts,
        "pictures": len(made),
        "groups refused because one source stood out": refused,
        "cells with fewer than five usable faces": too_few,
        "correlation with the likest source": quantiles(likest),
        "by how much it stands out from the other four": quantiles(stands_out),
        "likest of all Test faces is one of the five": round(found_again(made, faces.pictures, sources), 3),
    }


def found_again(made: list[tuple[NDArray[np.uint8], tuple[str, str, str]]], pictures: Floats, sources: list[Ints]) -> float:
    """How often the Test face most like a picture is one of its sources; which of the five it is stays open."""
    everyone = unit(band(pictures, 0.6, 8.0))
    mine = unit(band(np.stack([p for p, _ in made]).astype(np.float32), 0.6, 8.0))
    nearest = (mine @ everyone.T).argmax(1)
    return float(np.mean([n in group for n, group in zip(nearest, sources, strict=True)]))


def quantiles(values: list[float]) -> dict[str, float]:
    """Least, median, 95 % and greatest."""
    return {
        name: round(float(np.quantile(values, q)), 3)
        for name, q in (("least", 0), ("median", 0.5), ("95 %", 0.95), ("greatest", 1))
    }


def write(out: Path, made: list[tuple[NDArray[np.uint8], tuple[str, str, str]]], generator: np.random.Generator) -> None:
    """Pictures in a shuffled order, so that a number says nothing of the source, and ``metadata.csv``."""
    folder = out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    rows = []
    for number, which in enumerate(generator.permutation(len(made)), 1):
        picture, cell = made[which]
        name = f"images/{number:04d}.png"
        Image.fromarray(picture).save(out / name, optimize=True)
        rows.append((name, *cell))
    with (out / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file_name", "label", "gender", "race"))
        writer.writerows(rows)


def main() -> None:
    """Parse, make, and print what the README states."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="FER+ in its official layout, with demographics.csv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(make(arguments.data, arguments.out, arguments.seed), indent=1))


if __name__ == "__main__":
    main()
