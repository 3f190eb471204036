"""Make the bundled sample: k-Same averages of FER+ Test. Every picture is the average of five people.

    python datasets/sample/make_sample.py --data FERPLUS --out datasets/sample

Method: k-Same de-identification (Newton, Sweeney and Malin 2005, "Preserving privacy by de-identifying face images", IEEE TKDE
17(2)), k = 5, inside each cell of emotion x gender x race:

1. Take the faces that FER+'s official majority rule keeps (3,137).
2. Exclude pictures with an overlay (watermark, caption, logo, sign) and drawings: see `OVERLAYS` and `DRAWINGS`.
3. Exclude every face with an exact duplicate in Train, and all but one of each group of exact or near duplicates within Test
   (also mirrored, shifted, rescaled, or of other brightness and contrast). Candidates are found by correlation of band-passed
   faces at a few shifts and mirrored, then verified by correlation of their fine detail at five scales. The thresholds were
   chosen by viewing pairs and favor exclusion.
4. In each cell, a face and the four unused faces most similar to it form a group. Two faces so similar that they may show
   one person are never in the same group.
5. Align the five faces (mirrored, shifted by up to 3 pixels), bring them to one mean and contrast, and average them. A source
   that stands out gets a smaller weight (at least 0.12), so that all five are about equally similar to the average.
6. Check each average: its correlation with the most similar source, and by how much that source exceeds the other four.

The output holds only the averages, and the label, gender and race that their five sources share. No source of an average
is named. The seed decides everything: the same data and libraries give the same bytes.
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

K = 5  # sources per average
MINIMUM_WEIGHT = 0.12  # of a source in its average; plain averaging gives each 0.2
SIDE = 48
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
CANDIDATE = 0.72  # coarse correlation from which a pair is compared in detail
SAME_PICTURE = 0.66  # correlation of fine detail from which a pair counts as one picture
POSSIBLY_ONE_PERSON = 0.66  # coarse correlation above which two faces never share an average
MAXIMUM_EXCESS = 0.12  # by which the most similar source may exceed the mean of the other four
MAXIMUM_SIMILARITY = 0.86  # correlation of an average with any source
GRAY_LEVELS = 64  # an average needs no more, and the files are smaller

# fmt: off
OVERLAYS = frozenset({
    32220, 32228, 32233, 32241, 32249, 32258, 32287, 32294, 32304, 32321, 32331, 32342, 32348, 32356, 32418, 32423, 32428,
    32435, 32437, 32448, 32449, 32450, 32492, 32507, 32508, 32513, 32524, 32548, 32555, 32557, 32558, 32571, 32596, 32601,
    32602, 32605, 32618, 32638, 32647, 32654, 32676, 32731, 32739, 32749, 32762, 32770, 32774, 32776, 32781, 32784, 32827,
    32829, 32856, 32863, 32868, 32936, 32938, 32951, 32955, 32972, 32978, 32987, 33003, 33007, 33019, 33020, 33037, 33051,
    33060, 33067, 33068, 33079, 33103, 33105, 33107, 33109, 33117, 33120, 33131, 33142, 33157, 33185, 33188, 33193, 33211,
    33224, 33235, 33238, 33245, 33249, 33255, 33276, 33296, 33298, 33309, 33318, 33331, 33341, 33351, 33354, 33359, 33366,
    33367, 33369, 33373, 33394, 33404, 33422, 33448, 33450, 33459, 33460, 33463, 33470, 33487, 33509, 33513, 33522, 33543,
    33548, 33553, 33555, 33567, 33578, 33579, 33581, 33588, 33599, 33610, 33617, 33621, 33633, 33634, 33655, 33661, 33668,
    33677, 33678, 33692, 33699, 33725, 33736, 33786, 33798, 33805, 33827, 33882, 33889, 33910, 33912, 33913, 33919, 33920,
    33940, 33959, 33964, 33992, 34003, 34007, 34016, 34028, 34032, 34037, 34057, 34060, 34075, 34079, 34084, 34117, 34147,
    34149, 34152, 34155, 34157, 34168, 34174, 34191, 34210, 34212, 34220, 34227, 34302, 34311, 34312, 34335, 34370, 34373,
    34374, 34380, 34399, 34412, 34415, 34419, 34455, 34496, 34503, 34509, 34510, 34512, 34528, 34545, 34565, 34586, 34629,
    34652, 34654, 34655, 34660, 34691, 34696, 34698, 34722, 34730, 34749, 34754, 34762, 34772, 34774, 34780, 34795, 34814,
    34817, 34819, 34823, 34835, 34840, 34843, 34866, 34871, 34896, 34897, 34911, 34929, 34934, 34960, 34969, 34980, 34993,
    34996, 35004, 35050, 35053, 35054, 35088, 35093, 35126, 35169, 35180, 35181, 35192, 35193, 35211, 35214, 35235, 35237,
    35263, 35277, 35294, 35301, 35304, 35314, 35319, 35325, 35345, 35363, 35370, 35372, 35388, 35395, 35412, 35432, 35436,
    35468, 35473, 35482, 35487, 35491, 35494, 35518, 35534, 35549, 35557, 35565, 35597, 35606, 35614, 35618, 35644, 35649,
    35651, 35654, 35676, 35678, 35691, 35700, 35705, 35713, 35717, 35727, 35737, 35749, 35756, 35764, 35767, 35772, 35778,
    35783, 35788, 35799,
})
# fmt: on
"""Numbers of the Test pictures (``fer00NNNNN.png``) with an overlay: a stock-photo watermark, a caption, a subtitle, a logo
or a warning sign. Found by viewing all 2,893 majority faces of Test that have no exact duplicate in Train."""

# fmt: off
DRAWINGS = frozenset({
    32271, 32297, 32658, 32715, 32799, 33091, 33133, 33480, 33667, 33816, 33822, 33860, 33898, 34002, 34073, 34134, 34137,
    34202, 34331, 34369, 34410, 34414, 34424, 34452, 34709, 34733, 34789, 34857, 34941, 34971, 34999, 35014, 35212, 35229,
    35250, 35379, 35666, 35704, 35732,
})
# fmt: on
"""Numbers of the Test pictures that are drawings or rendered figures: they show no person."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Faces:
    """Pictures (n, 48, 48), with the file name and the cell (emotion, gender, race) of each."""

    pictures: Floats
    names: list[str]
    cells: list[tuple[str, str, str]]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Faces:
        """Only the faces for which the mask is true."""
        rows = np.flatnonzero(chosen)
        return Faces(self.pictures[rows], [self.names[i] for i in rows], [self.cells[i] for i in rows])


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
    rows = np.flatnonzero(chosen)
    cells = [(EMOTIONS[label[i]], *people[names[i]]) for i in rows]
    return Faces(pictures[chosen], [names[i] for i in rows], cells)


def listed(faces: Faces, numbers: frozenset[int]) -> NDArray[np.bool_]:
    """Which faces have a file name with one of these numbers."""
    names = {f"fer{number:07d}.png" for number in numbers}
    return np.array([name in names for name in faces.names])


def unit(values: Floats) -> Floats:
    """Rows with mean 0 and length 1, so that a product of rows is a correlation."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(1, keepdims=True)
    rows: Floats = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return rows


def band(pictures: Floats, fine: float, coarse: float) -> Floats:
    """Band-passed pictures: the detail between two Gaussian scales, without lighting and noise."""
    blurred = gaussian_filter(pictures, (0, coarse, coarse), mode="nearest")
    return np.asarray(gaussian_filter(pictures, (0, fine, fine), mode="nearest") - blurred, np.float32)


def halve(pictures: Floats) -> Floats:
    """Means of 2x2 pixels."""
    n, height, width = pictures.shape
    return np.asarray(pictures.reshape(n, height // 2, 2, width // 2, 2).mean((2, 4)), np.float32)


def coarse_similarity(some: Floats, many: Floats) -> Floats:
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


def exclude_duplicates(faces: Floats, train: Floats) -> tuple[NDArray[np.bool_], Floats, dict[str, int]]:
    """Which Test faces are usable, their coarse similarity to one another, and the number excluded by reason."""
    in_train = {picture.tobytes() for picture in train}
    exact = np.array([picture.tobytes() in in_train for picture in faces])
    usable = ~exact
    like = coarse_similarity(band(faces, 1.0, 6.0), band(faces, 1.0, 6.0))
    like = np.maximum(like, like.T)
    centre = unit(band(faces, 0.6, 2.0)[:, 6:42, 6:42])
    within = 0
    for i in range(len(faces)):
        earlier = np.flatnonzero(usable[:i] & (like[i, :i] >= CANDIDATE))
        if usable[i] and len(earlier) and float((views(faces[i]) @ centre[earlier].T).max()) >= SAME_PICTURE:
            usable[i] = False
            within += 1
    counts = {
        "exact duplicate in Train": int(exact.sum()),
        "exact or near duplicate within Test": within,
        "usable": int(usable.sum()),
    }
    return usable, like, counts


def group_faces(members: Ints, like: Floats, generator: np.random.Generator) -> list[Ints]:
    """Groups of K faces of one cell: a face and the most similar unused ones, no two of which may show one person."""
    unused = [int(i) for i in generator.permutation(members)]
    groups = []
    while len(unused) >= K:
        first = unused.pop(0)
        group = [first]
        for candidate in sorted(unused, key=lambda i: (-like[first, i], i)):
            if all(like[candidate, other] < POSSIBLY_ONE_PERSON for other in group):
                group.append(candidate)
            if len(group) == K:
                break
        if len(group) == K:
            unused = [i for i in unused if i not in group]
            groups.append(np.array(group))
    return groups


def aligned(pictures: Floats) -> Floats:
    """Each face mirrored and shifted by up to 3 pixels to match the first best; edges are repeated."""
    result = [pictures[0]]
    centre = unit(band(pictures[:1], 1.0, 6.0)[:, 6:42, 6:42])[0]
    for picture in pictures[1:]:
        moves = [
            np.pad(side, 3, mode="edge")[down : down + SIDE, across : across + SIDE]
            for side in (picture, picture[:, ::-1])
            for down in range(7)
            for across in range(7)
        ]
        scores = unit(band(np.stack(moves), 1.0, 6.0)[:, 6:42, 6:42]) @ centre
        result.append(moves[int(scores.argmax())])
    return np.stack(result)


def average(pictures: Floats) -> NDArray[np.uint8]:
    """The mean of faces brought to one mean and contrast, with the mean brightness and contrast of its sources.

    A source that the plain mean resembles more than the others gets a smaller weight, until all five are about equally like it.
    """
    means, contrasts = pictures.mean((1, 2), keepdims=True), pictures.std((1, 2), keepdims=True)
    level = (pictures - means) / np.maximum(contrasts, 1)
    weights = np.full(len(pictures), 1 / len(pictures))
    for _ in range(20):
        near = similarity_to_sources(np.tensordot(weights, level, 1), level)
        weights = weights * np.exp(-2 * (near - near.mean()))
        weights = np.clip(weights / weights.sum(), MINIMUM_WEIGHT, None)
        weights /= weights.sum()
    mean = np.tensordot(weights, level, 1)
    picture = mean / max(float(mean.std()), 1e-6) * float(contrasts.mean()) + float(means.mean())
    step = 256 // GRAY_LEVELS
    return np.asarray(np.clip(np.round(picture / step) * step, 0, 255), np.uint8)


def similarity_to_sources(picture: NDArray[np.floating] | NDArray[np.uint8], sources: Floats) -> Floats:
    """Correlation of a picture with each of its sources, their lighting removed."""
    views = band(np.concatenate([picture[None].astype(np.float32), sources]), 0.6, 8.0)
    rows = unit(views)
    return np.asarray(rows[1:] @ rows[0], np.float32)


def make(root: Path, out: Path, seed: int) -> dict[str, object]:
    """Write the sample and return the figures that its README states."""
    majority = read_test(root)
    overlay, drawing = listed(majority, OVERLAYS), listed(majority, DRAWINGS)
    counts = {"majority faces": len(majority.names), "overlay": int(overlay.sum()), "drawing": int(drawing.sum())}
    faces = majority[~(overlay | drawing)]
    usable, like, duplicates = exclude_duplicates(faces.pictures, read_split(root, "Train")[1])
    generator = np.random.default_rng(seed)
    made: list[tuple[NDArray[np.uint8], tuple[str, str, str]]] = []
    similarities: list[float] = []
    excesses: list[float] = []
    sources: list[Ints] = []
    rejected = 0
    too_few: dict[str, int] = {}
    for cell in sorted(set(faces.cells)):
        members = np.array([i for i, c in enumerate(faces.cells) if c == cell and usable[i]], dtype=np.int64)
        if len(members) < K:
            too_few[" ".join(cell)] = len(members)
            continue
        for group in group_faces(members, like, generator):
            stack = aligned(faces.pictures[group])
            picture = average(stack)
            near = similarity_to_sources(picture, stack)
            excess = float(near.max() - np.delete(near, near.argmax()).mean())
            if near.max() > MAXIMUM_SIMILARITY or excess > MAXIMUM_EXCESS:
                rejected += 1
                continue
            made.append((picture, cell))
            sources.append(group)
            similarities.append(float(near.max()))
            excesses.append(excess)
    write(out, made, generator)
    return {
        "faces": counts | duplicates,
        "pictures": len(made),
        "groups rejected because one source stood out": rejected,
        "cells with fewer than five usable faces": too_few,
        "correlation with the most similar source": quantiles(similarities),
        "excess over the mean of the other four": quantiles(excesses),
        "share whose most similar Test face is a source": round(reidentification_rate(made, faces.pictures, sources), 3),
    }


def reidentification_rate(
    made: list[tuple[NDArray[np.uint8], tuple[str, str, str]]], pictures: Floats, sources: list[Ints]
) -> float:
    """Share of averages whose most similar Test face is one of their five sources."""
    candidates = unit(band(pictures, 0.6, 8.0))
    averages = unit(band(np.stack([p for p, _ in made]).astype(np.float32), 0.6, 8.0))
    nearest = (averages @ candidates.T).argmax(1)
    return float(np.mean([n in group for n, group in zip(nearest, sources, strict=True)]))


def quantiles(values: list[float]) -> dict[str, float]:
    """Minimum, median, 95 % quantile and maximum."""
    return {
        name: round(float(np.quantile(values, q)), 3)
        for name, q in (("minimum", 0), ("median", 0.5), ("95 %", 0.95), ("maximum", 1))
    }


def write(out: Path, made: list[tuple[NDArray[np.uint8], tuple[str, str, str]]], generator: np.random.Generator) -> None:
    """Write the pictures in shuffled order, so that a number does not reveal the sources, and ``metadata.csv``."""
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
    """Make the sample and print the figures that the README states."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="FER+ in its official layout, with demographics.csv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(make(arguments.data, arguments.out, arguments.seed), indent=1))


if __name__ == "__main__":
    main()
