"""DeepFace's emotion network, in batches.

`DeepFace.analyze` takes one face at a time, and most of its time is not spent in the network: it enlarges each face to 224
pixels a side in double precision and shrinks it to the network's 48 again. Here the same two bilinear steps are one matrix per
axis (interpolation is linear), applied to a batch, and the network that DeepFace built answers the batch. Scores agree with
``analyze(..., actions=["emotion"], detector_backend="skip")`` to within 1e-5 and have the same top emotion. Images for which
the matrices do not hold (nearly black ones, which DeepFace scales differently, and very large ones) go through DeepFace's own
steps.

Only DeepFace's inner modules are imported: importing ``deepface.DeepFace`` would set environment variables, silence every
warning of the process and create folders in the user's home.

Modules: `resizing` (the matrices), `isolation` (DeepFace without its side effects), `engines` (back ends, weights, network,
detectors), `model` and `loading`.
"""

from __future__ import annotations

from fairfer.models.adapters.deepface.engines import BACKENDS
from fairfer.models.adapters.deepface.loading import load, readiness

__all__ = ["BACKENDS", "load", "readiness"]
