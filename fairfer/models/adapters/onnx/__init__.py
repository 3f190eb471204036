"""ONNX graphs: ``onnx:model.toml``, a short description beside the graph.

::

    name = "my-model"
    version = "3"                    # optional; the graph's SHA-256 is always part of the version
    graph = "model.onnx"             # relative to this file
    labels = ["Neutral", "Happy"]    # the model's own spellings, in the order of its output
    task = "single-label"            # optional; or "multi-label": an independent score per label

    [input]
    name = "faces"                   # optional; needed only when the graph has several inputs
    layout = "NCHW"                  # or "NHWC"
    size = [48, 48]                  # height, width
    color = "gray"                  # or "rgb" or "bgr"
    scale = 0.00392156862745098      # default 1
    mean = 0.5                       # default 0; one number, or one per channel in the order of `color`
    std = 0.5                        # default 1; likewise
    resample = "bilinear"            # default; or "nearest", "bicubic" or "lanczos"
    antialias = true                 # default; false: an image that is made smaller is not smoothed
    crop = "none"                    # default; or "center": cut to the aspect ratio of `size` before resizing
    pad = 0                          # optional: fill up to that aspect ratio with this level (0..255) before resizing

    [output]
    name = "scores"                  # optional; needed only when the graph has several outputs
    kind = "logits"                  # or "probabilities"

Pixel values ``x`` of 0..255 enter the graph as ``(x * scale - mean) / std``. An image of another size is resized in 8 bits, by
Pillow where `antialias` is true. Without `crop` or `pad`, its aspect ratio is not kept. Every key of the input is stored with
the predictions and is part of their identity. Color becomes gray by the weights of ITU-R BT.601 (in 8 bits, as in Pillow).
Logits become probabilities by a softmax, or by a sigmoid per label for a multi-label graph.

A description is checked against its graph at load, including one trial run on a plain gray image, so that errors are reported
before any predictions are made.

Modules: `description` (the TOML file), `session` (onnxruntime), `model` and `loading`.
"""

from __future__ import annotations

from fairfer.models.adapters.onnx.loading import load

__all__ = ["load"]
