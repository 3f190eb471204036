"""``hf:``: image classifiers of transformers."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from fairfer.errors import ModelError
from fairfer.models.adapters import huggingface as adapter
from fairfer.models.registry import load_model
from fairfer.testing import check_loading, check_model

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

SEVEN = ("Angry", "disgust", "Fear", "happy", "Neutral", "sad", "SURPRISE")


@pytest.fixture
def save(tmp_path):
    """Write a tiny vision transformer with random weights and its image processor."""

    def save(name="tiny", labels=SEVEN, *, processor=True, **config):
        torch.manual_seed(2)
        names = (
            {} if labels is None else {"id2label": dict(enumerate(labels)), "label2id": {n: i for i, n in enumerate(labels)}}
        )
        if labels is None:
            names = {"num_labels": 7}
        configuration = transformers.ViTConfig(
            image_size=32, patch_size=16, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            **names, **config,
        )  # fmt: skip
        folder = tmp_path / "hub" / name
        network = transformers.ViTForImageClassification(configuration)
        network.save_pretrained(folder)
        if processor:
            settings = {"size": {"height": 32, "width": 32}, "resample": 3}
            (folder / "preprocessor_config.json").write_text(
                json.dumps({"image_processor_type": "ViTImageProcessor", "do_resize": True, "do_rescale": True,
                            "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
                            **settings})
            )  # fmt: skip
        return folder, network.eval()

    return save


def test_a_folder_is_a_model_in_one_line(save):
    """All seven classes, and the scores of the library's own processor and network on the file."""
    folder, network = save()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")

    def library(path):
        with torch.inference_mode():
            logits = network(**processor(images=Image.open(path).convert("RGB"), return_tensors="pt")).logits
        return torch.softmax(logits, -1)[0].numpy()

    model = load_model(f"hf:{folder}", backend="pil")
    assert model.labels.labels == ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    assert model.labels.spellings == SEVEN
    check_model(model, reference=library)
    check_loading(lambda target: load_model(f"hf:{target}"), folder)


def test_the_processors_settings_are_recorded(save):
    """Another size or mean is another run."""
    folder, _ = save()
    before = load_model(f"hf:{folder}").options
    assert json.loads(before["processor.size"]) == {"height": 32, "width": 32}
    assert before["processor.image_mean"] == "[0.5, 0.5, 0.5]"
    assert before["processor"].startswith("ViTImageProcessor")
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"resample": 3', '"resample": 2'), encoding="utf-8")
    assert load_model(f"hf:{folder}").options != before


def test_weights_are_the_version(save):
    folder, network = save()
    before = load_model(f"hf:{folder}").version
    with torch.no_grad():
        network.classifier.bias += 1
    network.save_pretrained(folder)
    assert load_model(f"hf:{folder}").version != before


def test_several_labels_per_face(save, images):
    """A sigmoid per label, as the configuration says."""
    folder, _network = save(labels=("AU6", "AU12"), problem_type="multi_label_classification")
    model = load_model(f"hf:{folder}")
    assert (model.task, model.labels.labels) == ("multi-label", ("AU6", "AU12"))
    check_model(model, images)
    sums = [float(answer.scores.sum()) for answer in model.predict(images)]
    assert not np.allclose(sums, 1, atol=1e-3)


def test_labels_without_names_have_to_be_named(save, images):
    folder, _ = save(labels=None)
    with pytest.raises(ModelError, match=r"does not name its 7 labels \(LABEL_0, …\); add --option labels="):
        load_model(f"hf:{folder}")
    with pytest.raises(ModelError, match="option labels names 2 labels, but the model has 7"):
        load_model(f"hf:{folder}", labels="happy,sad")
    model = load_model(f"hf:{folder}", labels="fer2013")
    assert model.labels.labels[3] == "happiness"
    check_model(model, images)


def test_two_names_of_one_emotion_are_an_error(save):
    folder, _ = save(labels=("happy", "joy", "sad"))
    with pytest.raises(ModelError, match=r"more than once.*; name them with --option labels"):
        load_model(f"hf:{folder}")


def test_what_is_missing_is_one_line(save, monkeypatch, tmp_path):
    """And nothing is downloaded unless asked."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    cases = {
        "nobody/nothing": "is not in the local cache; add --option download=yes",
        str(save(processor=False)[0]): "image processor cannot be loaded .*; write the folder with save_pretrained",
    }
    for target, complaint in cases.items():
        with pytest.raises(ModelError, match=complaint) as caught:
            load_model(f"hf:{target}")
        assert "\n" not in str(caught.value)
    for option, value, complaint in (
        ("download", "maybe", "use yes or no"),
        ("backend", "tensor", "is not a choice"),
        ("device", "tpu9", "cannot be used here"),
    ):
        with pytest.raises(ModelError, match=complaint):
            load_model(f"hf:{save('other')[0]}", **{option: value})


def test_a_network_without_all_weights_is_refused(save):
    """Transformers fills what is missing with random numbers."""
    folder, network = save()
    transformers.ViTModel(network.config).save_pretrained(folder)
    with pytest.raises(ModelError, match=r"has no weights for 2 parts of the network, such as classifier\.bias"):
        load_model(f"hf:{folder}")


class Hub(http.server.BaseHTTPRequestHandler):
    """The part of the hub that a download needs."""

    folder = None
    commit = "0123456789abcdef0123456789abcdef01234567"

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        if self.path.startswith("/api/models/"):
            content = json.dumps({"sha": self.commit, "id": "org/tiny", "siblings": []}).encode()
        else:
            path = self.folder / self.path.rpartition("/")[2].partition("?")[0]
            if not path.is_file():
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = path.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("ETag", f'"{len(content)}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.mark.slow
def test_a_model_of_the_hub_is_downloaded_once(save, tmp_path):
    """With ``download=yes`` from the hub (a local server); afterwards from the cache, without the network."""
    folder, _ = save()
    handler = type("Serving", (Hub,), {"folder": folder})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = """
import sys
from fairfer.models.registry import load_model
model = load_model("hf:org/tiny", **eval(sys.argv[1]))
print(model.version, model.options["commit"])
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}

    def run(options):
        return subprocess.run(
            [sys.executable, "-c", code, options], env=environment, capture_output=True, text=True, check=False
        )

    try:
        refused = run("{}")
        assert "add --option download=yes" in refused.stderr
        loaded = run("{'download': 'yes'}")
        assert loaded.stdout.strip() == f"{load_model(f'hf:{folder}').version} {Hub.commit}", loaded.stderr
    finally:
        server.shutdown()
        server.server_close()
    again = run("{}")
    assert again.stdout == loaded.stdout, again.stderr


def test_the_back_end_of_the_processor_is_stated(save, monkeypatch):
    """Torchvision resamples slightly differently; where it cannot be imported, Pillow is used."""
    folder, _ = save()
    monkeypatch.setattr(adapter, "_torchvision_works", lambda: False)
    assert load_model(f"hf:{folder}").options["processor"] == "ViTImageProcessorPil (pil)"
    assert adapter.readiness().state == "ready"
