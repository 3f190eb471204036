"""Vision-language models behind an OpenAI-compatible API (hosted, vLLM, Ollama): ``openai:MODEL`` with ``base_url``.

Each image is one chat completion at temperature 0, with a prompt and a schema of the answer that are data (``prompt.toml``).
Every answer can be recorded in a file and replayed from it without the network. What counts as which status:

* ``ok``: the answer has a JSON object with a score for each label; the scores are divided by their sum;
* ``no_face``: it says so, with ``"face": false``;
* ``refused``: the API reports a refusal or a content filter, or the answer is text without any JSON object;
* ``error``: the JSON is damaged or incomplete, or the service fails.

Modules: `prompt` (the data), `answers` (from a response to a prediction), `recording`, `model` and `loading`.
"""

from __future__ import annotations

from fairfer.models.adapters.openai.loading import load, readiness

__all__ = ["load", "readiness"]
