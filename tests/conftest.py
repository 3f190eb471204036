"""What several test files share: tiny datasets written where a test asks for them, and where the real ones lie."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from PIL import Image

from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset
from fairfer.datasets.images import PixelImages
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.vocabulary import UNANNOTATED

# Its notes go where pytest keeps its own; a folder .hypothesis beside the tests would be searched for tests.
set_hypothesis_home_dir(Path(__file__).parent.parent / ".pytest_cache" / "hypothesis")
# Every run draws the same examples, so that a red test is red again; HYPOTHESIS_PROFILE=search looks for new ones.
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("fairfer", deadline=None, derandomize=True, max_examples=60, suppress_health_check=SLOW)
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fairfer"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real datasets; a test that needs it is skipped, saying so, where FAIRFER_SHARED is not set."""
    place = os.environ.get("FAIRFER_SHARED", "")
    if not place:
        pytest.skip("FAIRFER_SHARED is not set: the real datasets are not here")
    return Path(place)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the day's or the developer's settings."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("DEEPFACE_HOME", "DEEPFACE_BACKEND_ENGINE", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def grey(level: int, texture: int = 0, side: int = 8) -> np.ndarray:
    """A grey picture whose top left pixel has this level, which a `FakeModel` reads; `texture` tells it from others."""
    picture = np.random.default_rng(texture).integers(0, 256, (side, side), np.uint8)
    picture[0, 0] = level
    return picture


@pytest.fixture
def write_pictures() -> Callable[..., None]:
    """Write one grey PNG per name into a folder; the top left level is given or counts up."""

    def write(folder: Path, names: Sequence[str], levels: Sequence[int] | None = None) -> None:
        for i, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(grey(levels[i] if levels else i % 256, zlib.crc32(f"{folder.name}/{name}".encode()))).save(path)

    return write


TINY_VOTES = {
    "fer0000000.png": (10, 0, 0, 0, 0, 0, 0, 0, 0, 0),  # neutral by every rule
    "fer0000001.png": (0, 9, 1, 0, 0, 0, 0, 0, 0, 0),  # happiness; the single vote is dropped
    "fer0000002.png": (5, 5, 0, 0, 0, 0, 0, 0, 0, 0),  # unknown by majority, neutral by crossentropy
    "fer0000003.png": (0, 0, 0, 0, 6, 2, 2, 0, 0, 0),  # anger
    "fer0000004.png": (0, 0, 0, 0, 0, 0, 0, 0, 8, 2),  # voted unknown
    "fer0000005.png": (0, 0, 0, 0, 0, 0, 0, 0, 0, 10),  # voted not a face
    "fer0000006.png": (0, 0, 0, 0, 0, 0, 0, 7, 3, 0),  # contempt
}
USAGE = {"Train": "Training", "Valid": "PublicTest", "Test": "PrivateTest"}


@pytest.fixture
def write_ferplus(write_pictures: Callable[..., None]) -> Callable[..., Path]:
    """Write FER+'s official layout: label.csv and pictures per split, and fer2013new.csv."""

    def write(root: Path, splits: dict[str, dict[str, Sequence[int]]] | None = None, *, pictures: bool = True) -> Path:
        splits = splits or {"Test": TINY_VOTES}
        rows = ["Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
        for split, votes in splits.items():
            folder = root / "data" / f"FER2013{split}"
            folder.mkdir(parents=True)
            lines = [f'{name},"(0, 0, 48, 48)",' + ",".join(map(str, v)) for name, v in votes.items()]
            (folder / "label.csv").write_text("\n".join(lines) + "\n")
            rows += [f"{USAGE[split]},{name}," + ",".join(map(str, v)) for name, v in votes.items()]
            rows += [f"{USAGE[split]},," + ",".join(["0"] * 9 + ["10"])]  # a row that FER+ removed
            if pictures:
                write_pictures(folder, list(votes))
        (root / "fer2013new.csv").write_text("\n".join(rows) + "\n")
        return root

    return write


def toy_dataset(
    truth: Sequence[str],
    groups: dict[str, Sequence[str | None]] | None = None,
    *,
    said: Sequence[int] | None = None,
    labels: LabelSpace = FERPLUS,
    ids: Sequence[str] | None = None,
    name: str = "toy",
) -> Dataset:
    """A dataset in memory: its pictures make a `FakeModel` say ``labels[said[i]]``, the truth when not given."""
    ids = list(ids or [f"face{i:04d}.png" for i in range(len(truth))])
    levels = list(said) if said is not None else [labels.labels.index(t) for t in truth]
    pixels = np.stack([grey(level, i) for i, level in enumerate(levels)])
    samples = pd.DataFrame({"label": list(truth)}, index=pd.Index(ids, name="sample_id", dtype="str"), dtype="str")
    attributes = []
    for column, values in (groups or {}).items():
        text = [UNANNOTATED if v is None else v for v in values]
        samples[column] = pd.Series(text, index=samples.index, dtype="str")
        levels_of = sorted(set(text) - {UNANNOTATED}) + ([UNANNOTATED] if UNANNOTATED in text else [])
        attributes.append(Attribute(column, tuple(levels_of), "annotated", "the test"))
    return Dataset(name, labels, samples, tuple(attributes), PixelImages(ids, pixels))


@pytest.fixture(scope="session")
def toy_factory() -> Callable[..., Dataset]:
    """`toy_dataset`, for fixtures that outlive a test."""
    return toy_dataset


@pytest.fixture
def toy(toy_factory: Callable[..., Dataset]) -> Callable[..., Dataset]:
    """`toy_dataset`: a dataset in memory whose pictures tell a `FakeModel` what to say."""
    return toy_factory


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have overviews only: drawing every figure takes most of the time of a report."""
    from fairfer.report import figures

    draw = figures.draw
    monkeypatch.setattr(figures, "draw", lambda audit, kinds=("overview",): draw(audit, kinds))
