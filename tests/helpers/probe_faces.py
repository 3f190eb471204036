"""Small faces and models of which it is known how their answers depend on the picture, for tests of probes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset
from fairfer.datasets.images import PixelImages
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction

LABELS = LabelSpace.of("three", ("anger", "happiness", "sadness"))
DARK = 80
SIZE = 12


def faces(n=240, levels=("female", "male"), *, seed=0, multi_label=False, subjects=0):
    """Gray pictures: the brightest row says which label is true, the column with a bright stripe which group it is."""
    generator = np.random.default_rng(seed)
    truth, group = generator.integers(0, 3, n), np.arange(n) % len(levels)
    pixels = generator.integers(95, 105, (n, SIZE, SIZE)).astype(np.uint8)
    ids = [f"face{i:04d}" for i in range(n)]
    for i in range(n):
        pixels[i, truth[i]] += 20
        pixels[i, :, 4 + group[i]] += 40
    samples = pd.DataFrame({"gender": np.array(levels, object)[group]}, index=pd.Index(ids, dtype="str"))
    if multi_label:
        for i, label in enumerate(LABELS.labels):
            samples[f"truth:{label}"] = (truth == i).astype(int)
    else:
        samples["label"] = np.array(LABELS.labels, object)[truth]
    if subjects:
        samples["subject"] = [f"s{i % subjects}" for i in range(n)]
    attribute = Attribute("gender", tuple(levels), "annotated", "a test")
    task = "multi-label" if multi_label else "single-label"
    return Dataset("planted", LABELS, samples, (attribute,), PixelImages(ids, pixels), task=task)


class PlantedModel:
    """Reads label and group from the picture, and answers another label for dark pictures of some groups.

    Parameters
    ----------
    sensitive
        Numbers of the groups whose answers depend on brightness.
    blind
        Numbers of the groups of which it finds no face in dark pictures.
    """

    name = "planted"
    version = "1"
    labels = LABELS
    batch_size = 16

    def __init__(self, sensitive=(), blind=(), task="single-label", options=None):
        self.sensitive, self.blind, self.task = sensitive, blind, task
        self.options = dict(options or {})
        self.asked = 0

    def predict(self, images):
        self.asked += len(images)
        return [self._answer(image[..., 0].astype(float)) for image in images]

    def _answer(self, image):
        label = int(image[:3].mean(axis=1).argmax())
        group = int(image[3:, 4:].mean(axis=0).argmax())
        dark = image.mean() < DARK
        if dark and group in self.blind:
            return Prediction("no_face", None, "too dark")
        if dark and group in self.sensitive:
            label = (label + 1) % 3
        scores = np.full(3, 0.1)
        scores[label] = 0.8
        return Prediction("ok", scores)


def load(sensitive="0"):
    """A planted model for the command line: ``--model probe_faces:load --option sensitive=0``."""
    return PlantedModel(tuple(int(n) for n in sensitive.split(",") if n))


def write_folder(root, dataset):
    """Write a dataset as a folder per label, and a table of its attributes."""
    for sample_id, label in dataset.samples["label"].items():
        path = root / label / f"{sample_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(dataset.image(sample_id)).save(path)
    dataset.samples[["gender"]].rename(index=lambda i: f"{i}.png").to_csv(root.parent / "people.csv", index_label="image")
