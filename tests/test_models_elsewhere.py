"""Models outside of this process: programs, services and vision-language models, against real programs and local servers."""

from __future__ import annotations

import base64
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import fairfer
from fairfer.cli.main import app
from fairfer.errors import ModelError
from fairfer.labels import LabelSpace
from fairfer.models import service as services
from fairfer.models.adapters import http as http_adapter
from fairfer.models.adapters import openai as chat
from fairfer.models.adapters import process
from fairfer.models.adapters.openai.answers import read_response
from fairfer.models.answer_objects import read_answer, read_description
from fairfer.models.registry import load_model
from fairfer.testing import check_model

DESCRIPTION = {"name": "bright", "version": "1", "labels": ["happy", "sad"]}


def pixels(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def scores(image: np.ndarray) -> dict:
    happy = float(image.mean() / 255)
    return {"happy": happy, "sad": 1 - happy}


def by_hand(path):
    return list(scores(np.asarray(Image.open(path))).values())


def face(level: int) -> np.ndarray:
    return np.full((5, 4, 3), level, np.uint8)


# ---- programs

PROGRAM = """
import base64, io, json, sys, time
import numpy as np
from PIL import Image
print(json.dumps({"name": "bright", "version": "1", "labels": ["happy", "sad"]}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(asked["image"]))))
    level = int(image[0, 0, 0])
    happy = float(image.mean() / 255)
    answer = {"id": asked["id"], "scores": {"happy": happy, "sad": 1 - happy}}
    FAULT
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def program(tmp_path):
    """A command that runs a program with a fault."""

    def program(fault="pass", start=""):
        path = tmp_path / "my program" / "model.py"
        path.parent.mkdir(exist_ok=True)
        source = PROGRAM.replace("FAULT", textwrap.indent(textwrap.dedent(fault), "    ").strip())
        path.write_text(start + source, encoding="utf-8")
        return f"'{sys.executable}' '{path}'"

    return program


def test_a_program_is_a_model(program):
    """In a folder with a space; each image is asked once, alone or in a batch."""
    model = load_model(f"process:{program()}")
    assert (model.name, model.version, model.labels.labels, model.task) == (
        "bright",
        "1",
        ("happiness", "sadness"),
        "single-label",
    )
    check_model(model, reference=by_hand, extreme=False)
    model.close()


def test_the_program_is_part_of_the_identity(program):
    before = fairfer.models.boundary.declaration(load_model(f"process:{program()}"))
    after = fairfer.models.boundary.declaration(load_model(f"process:{program('answer = answer')}"))
    assert before.options["code"] != after.options["code"]


@pytest.mark.parametrize(
    ("fault", "statuses", "detail"),
    [
        ("if level == 7: sys.exit('no memory')", ["ok", "error", "ok"], "ended with exit code 1: no memory"),
        ("if level == 7: raise ValueError('bad face')", ["ok", "error", "ok"], "ValueError: bad face"),
        ("if level == 7: time.sleep(30)", ["ok", "error", "ok"], "did not answer within 1.5 seconds"),
        (
            "if level == 7: answer = {'id': asked['id'], 'status': 'no_face', 'detail': 'nobody'}",
            ["ok", "no_face", "ok"],
            "nobody",
        ),
        ("if level == 7: answer = {'id': asked['id'], 'status': 'refused', 'detail': 'no'}", ["ok", "refused", "ok"], "no"),
        ("print(file=sys.stderr)\nprint()", ["ok", "ok", "ok"], ""),
    ],
)
def test_an_image_on_which_the_program_fails_costs_its_neighbors_nothing(program, fault, statuses, detail):
    """The program is started again; its last words are in the detail."""
    model = load_model(f"process:{program(fault)}", timeout="1.5" if "sleep" in fault else "30")
    answers = model.predict([face(200), face(7), face(100)])
    assert [a.status for a in answers] == statuses
    assert detail in answers[1].detail
    model.close()


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("print('loading weights')", "wrote a line that is not JSON: loading weights; write messages to standard error"),
        ("answer['scores']['rage'] = 0", "gave a score to rage, which is not one of its labels"),
        ("del answer['scores']['sad']", "gave no score to sadness"),
        ("answer['scores']['sad'] = 'high'", "gave 'sad' the score high, which is not a number"),
        ("answer['id'] = '5'", "answered image 5 when it was asked for image 0"),
        ("answer = {'id': asked['id'], 'status': 'fine'}", "answered with the status fine; use one of ok, no_face, refused"),
        ("answer = [1, 2]", 'must answer with {"scores": {…}}'),
        ("del answer['scores']", "answered without scores"),
        ("sys.exit(3)", "failed on 5 images in a row (the last: the program ended with exit code 3)"),
    ],
)
def test_a_program_that_breaks_the_protocol_ends_the_run_with_one_line(program, fault, complaint):
    model = load_model(f"process:{program(fault)}")
    with pytest.raises(ModelError) as caught:
        model.predict([face(level) for level in (1, 2, 3, 4, 5)])
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    model.close()


@pytest.mark.parametrize(
    ("start", "complaint"),
    [
        ("import sys; print('hello'); sys.exit()\n", "wrote a line that is not JSON: hello"),
        ("import sys; sys.exit('no license')\n", "cannot be started (the program ended with exit code 1: no license); run the"),
        ("print('{}')\n", "'name' of its description must be text, not None"),
        ("print('[]')\n", "must describe itself as"),
    ],
)
def test_a_program_that_does_not_describe_itself_is_one_line(program, start, complaint):
    with pytest.raises(ModelError) as caught:
        load_model(f"process:{program(start=start)}")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_program_must_stay_the_same(program, tmp_path):
    """After a restart it may not describe itself differently."""
    start = f"""
import pathlib
again = pathlib.Path({str(tmp_path / "again")!r})
def version():
    if again.exists(): return "2"
    again.touch()
    return "1"
"""
    command = program("sys.exit()", start)
    path = tmp_path / "my program" / "model.py"
    path.write_text(path.read_text(encoding="utf-8").replace('"version": "1"', '"version": version()'), encoding="utf-8")
    model = load_model(f"process:{command}")
    with pytest.raises(ModelError, match="describes itself differently after a restart"):
        model.predict([face(1), face(2)])


@pytest.mark.parametrize(
    ("target", "options", "complaint"),
    [
        ("no-such-program --fast", {}, "there is no program 'no-such-program'; check the path"),
        ("'unclosed", {}, "the command cannot be split"),
        (sys.executable, {"timeout": "0"}, "must be a number of seconds above 0"),
        (sys.executable, {"timeout": "soon"}, "must be a number of seconds above 0"),
    ],
)
def test_a_wrong_command_is_one_line(target, options, complaint):
    with pytest.raises(ModelError) as caught:
        load_model(f"process:{target}", **options)
    assert complaint in str(caught.value)


def test_no_program_is_left_running(program):
    model = load_model(f"process:{program()}")
    running = model._programs[0]._process
    assert running.poll() is None
    model.close()
    assert running.poll() is not None
    assert process.readiness().state == "ready"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_a_program_in_javascript(tmp_path):
    """The program that models.md shows."""
    page = Path(__file__).parents[1] / ".github" / "docs" / "models.md"
    source = page.read_text(encoding="utf-8").split("```js\n")[1].split("```")[0]
    (tmp_path / "model.js").write_text(source, encoding="utf-8")
    model = load_model(f"process:node {tmp_path / 'model.js'}")
    check_model(model, [face(10), face(200)], extreme=False)
    model.close()


# ---- services


class Handler(http.server.BaseHTTPRequestHandler):
    """A service whose behavior a test decides."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(*self.server.describe())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, dict(self.headers)))
        self.reply(*self.server.answer(body))

    def reply(self, status, content, headers=None):
        if status == "break":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"answ')
            self.close_connection = True
            return
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Start a local service; its address and the server, whose functions decide what it says."""
    pytest.importorskip("httpx", reason="httpx is not installed")
    servers = []

    def serve(answer, describe=lambda: (200, DESCRIPTION)):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.answer, server.describe, server.asked = answer, describe, []
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", server

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Attempts follow each other at once; the time that would be waited is kept."""
    waits = []
    monkeypatch.setattr(services.Service, "pause", staticmethod(waits.append), raising=False)
    original = services.Service.__init__

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.pause = waits.append

    monkeypatch.setattr(services.Service, "__init__", init)
    return waits


def good(body):
    return 200, {"answers": [{"id": x["id"], "scores": scores(pixels(x["image"]))} for x in body["images"]]}


def test_a_service_is_a_model(serve):
    address, server = serve(good, lambda: (200, {**DESCRIPTION, "batch_size": 3}))
    model = load_model(f"{address}/predict")
    assert (model.name, model.batch_size, model.options) == ("bright", 3, {"url": f"{address}/predict"})
    check_model(model, reference=by_hand, extreme=False)
    assert server.asked[0][0] == "/predict"
    assert model.sent_to == ""


def test_a_service_may_be_described_by_options(serve):
    address, _ = serve(good, lambda: (404, {}))
    model = load_model(f"{address}/faces/v2", labels="happy,sad", version="2026-11")
    assert (model.name, model.version) == ("v2", "2026-11")
    check_model(model, [face(3), face(200)], extreme=False)
    with pytest.raises(ModelError, match="does not state its version; add --option version"):
        load_model(address, labels="happy,sad")
    with pytest.raises(ModelError, match=r"does not describe itself \(GET\); add --option labels"):
        load_model(address)
    with pytest.raises(ModelError, match="has no option 'speed'"):
        load_model(address, speed="9")


def test_a_busy_service_is_asked_again(serve, no_waiting):
    """After the time that it asks for, or twice as long each time."""
    busy = [(429, {}, {"Retry-After": "7"}), (503, {}, {"Retry-After": "tomorrow"}), ("break", {})]
    address, server = serve(lambda body: busy.pop(0) if busy else good(body))
    model = load_model(address)
    assert [a.status for a in model.predict([face(1)])] == ["ok"]
    assert no_waiting[0] == 7.0
    assert len(no_waiting) == 3
    assert len(server.asked) == 4


def test_one_bad_image_costs_its_neighbors_nothing(serve):
    def answer(body):
        return (500, b"out of memory") if any(pixels(x["image"])[0, 0, 0] == 7 for x in body["images"]) else good(body)

    model = load_model(serve(answer)[0])
    answers = model.predict([face(1), face(7), face(3)])
    assert [a.status for a in answers] == ["ok", "error", "ok"]
    assert answers[1].detail == "the service answered with status 500 (out of memory)"
    assert model.predict([]) == []


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ((200, b"<html>sign in</html>"), "answered with something other than JSON (<html>sign in</html>)"),
        ((401, b"who are you"), "answered with status 401 (who are you); correct the request or the secret"),
        ((200, {"answers": []}), "with one answer per image (1), not 0 answers"),
        ((200, []), 'must return {"answers": […]} with one answer per image (1), not []'),
        ((200, {"answers": [{"scores": {"happy": 1}}]}), "gave no score to sadness"),
        ((302, b"", {"Location": "http://elsewhere.example/"}), "redirects to http://elsewhere.example/; give that address"),
    ],
)
def test_a_service_that_breaks_the_protocol_is_one_line(serve, reply, complaint):
    model = load_model(serve(lambda _: reply)[0])
    with pytest.raises(ModelError) as caught:
        model.predict([face(1)])
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("describe", "complaint"),
    [
        ((500, b"starting"), "cannot be asked (the service answered with status 500 (starting))"),
        ((200, {"name": "m"}), "'version' of its description must be text"),
        ((200, {"name": "m", "version": "1", "labels": "happy"}), "'labels' of its description must be a list"),
        ((200, {"name": "m", "version": "1", "labels": ["happy", "joy"]}), "'labels' of its description"),
        ((200, {"name": "m", "version": "1", "labels": ["happy"], "task": "x"}), "'task' of its description must be one of"),
    ],
)
def test_a_service_that_does_not_describe_itself_is_one_line(serve, describe, complaint):
    address, _ = serve(good, lambda: describe)
    with pytest.raises(ModelError) as caught:
        load_model(address)
    assert complaint in str(caught.value)


def test_a_secret_is_sent_and_never_stored(serve, monkeypatch):
    address, server = serve(good)
    with pytest.raises(ModelError, match=r"environment variable MY_TOKEN \(token_env\) is empty"):
        load_model(address, token_env="MY_TOKEN")
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    model = load_model(address, token_env="MY_TOKEN")
    model.predict([face(1)])
    assert server.asked[0][2]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(fairfer.models.boundary.declaration(model))
    keyed = load_model(f"{address}/x?key=s3cret")
    assert set(keyed.options) == {"url", "query"}
    assert "s3cret" not in repr(fairfer.models.boundary.declaration(keyed))
    assert keyed.options != load_model(f"{address}/x?key=other").options
    with pytest.raises(ModelError, match="the address has a password"):
        load_model("http://me:pw@127.0.0.1/")


def test_a_service_that_is_not_there_is_one_line():
    pytest.importorskip("httpx", reason="httpx is not installed")
    for address, complaint in (("http://127.0.0.1:9/x", "cannot be reached at 127.0.0.1:9"), ("https://", "is not an address")):
        with pytest.raises(ModelError) as caught:
            load_model(address if address != "https://" else "https:///")
        assert complaint in str(caught.value)
    with pytest.raises(ModelError, match="option timeout='x' must be a number of seconds"):
        load_model("http://127.0.0.1:9/x", timeout="x")
    assert http_adapter.readiness().state == "needs a service"


def test_images_that_leave_the_machine_are_announced(serve, monkeypatch, tmp_path):
    """In one sentence on standard error, before the first is sent."""
    address, _ = serve(good)
    monkeypatch.setattr(services, "LOOPBACK", ())
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["predict", "sample", "--model", address, "--out", "run"])
    assert f"the images are sent to {address.removeprefix('http://')}" in result.stderr


# ---- vision-language models

EIGHT = fairfer.LabelSpace.of("x", ["happy", "sad"])


def completion(content, **message):
    return {"choices": [{"message": {"role": "assistant", "content": content, **message}, "finish_reason": "stop"}]}


def rated(body):
    """What a good model answers."""
    url = body["messages"][-1]["content"][1]["image_url"]["url"]
    return 200, completion(json.dumps({"face": True, "scores": scores(pixels(url.partition(",")[2]))}))


def test_a_vision_language_model_is_a_model(serve):
    """One request per image, at temperature 0, with the prompt, the labels and a schema."""
    address, server = serve(rated)
    model = load_model("openai:llava", base_url=f"{address}/v1", labels="happy,sad")
    check_model(model, reference=by_hand, extreme=False)
    path, body, _ = server.asked[0]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"], body["seed"]) == ("llava", 0, 0)
    assert "happy, sad" in body["messages"][-1]["content"][0]["text"]
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["scores"]["required"] == ["happy", "sad"]
    assert model.predict([]) == []


@pytest.mark.parametrize(
    ("response", "status", "detail"),
    [
        (completion('{"face": true, "scores": {"happy": 3, "sad": 1}}'), "ok", ""),
        (completion('Sure!\n```json\n{"scores": {"Happy": 0.6, "SAD": 0.2}}\n```'), "ok", ""),
        (completion('{"happy": 0.75, "sad": 0.25}'), "ok", ""),
        (completion([{"type": "text", "text": '{"happy": 0.75, "sad": 0.25}'}]), "ok", ""),
        (completion('{"face": false, "scores": {"happy": 0, "sad": 0}}'), "no_face", "the model says that there is no face"),
        (completion(None, refusal="I cannot rate people"), "refused", "the model refused: I cannot rate people"),
        (completion("I'm sorry, I can't help with that."), "refused", "the model did not rate the face: I'm sorry"),
        ({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, "refused", "content filter"),
        ({"error": {"code": "content_filter", "message": "blocked"}}, "refused", "removed by a content filter: blocked"),
        ({"error": {"type": "invalid_request", "message": "too large"}}, "error", "rejected the request: too large"),
        (completion('{"face": true, "scores": {"happy": 0.6'), "error", "has no complete JSON object"),
        ({"choices": [{"message": {"content": '{"a'}, "finish_reason": "length"}]}, "error", "is cut off"),
        (completion('{"scores": {"happy": 0.6}}'), "error", "gave no score to sadness"),
        (completion('{"scores": {"happy": 0.6, "sad": 0.2, "angry": 0.2}}'), "error", "gave a score to angry"),
        (completion('{"scores": {"happy": 0, "sad": 0}}'), "error", "the scores are no probabilities"),
        (completion('{"scores": {"happy": -1, "sad": 2}}'), "error", "the scores are no probabilities"),
        (completion('{"scores": {"happy": NaN, "sad": 2}}'), "error", "the scores are no probabilities"),
        (completion(""), "error", "the answer is empty"),
        (completion("[1, 2]"), "refused", "did not rate the face"),
        ({"choices": []}, "error", "is no chat completion"),
        ([], "error", "is no chat completion"),
    ],
)
def test_each_kind_of_answer_has_a_status(response, status, detail):
    """A refusal is the model's decision; damage is an error."""
    answer = read_response(response, EIGHT)
    assert answer.status == status
    assert detail in answer.detail
    if status == "ok":
        assert np.allclose(answer.scores, [0.75, 0.25])


def test_a_service_without_structured_answers_is_asked_without(serve):
    def answer(body):
        return (400, {"error": {"message": "response_format is not supported"}}) if "response_format" in body else rated(body)

    address, server = serve(answer)
    model = load_model("openai:llava", base_url=address, labels="happy,sad", concurrency="1")
    assert [a.status for a in model.predict([face(1), face(2)])] == ["ok", "ok"]
    assert ["response_format" in body for _, body, _ in server.asked] == [True, False, False]


def test_a_rejected_request_is_an_answer_and_a_rejected_secret_is_not(serve):
    address, _ = serve(lambda _: (400, {"error": {"code": "content_policy_violation", "message": "no faces"}}))
    [answer] = load_model("openai:m", base_url=address, labels="happy,sad").predict([face(1)])
    assert (answer.status, "no faces" in answer.detail) == ("refused", True)
    address, _ = serve(lambda _: (422, b"what?"))
    [answer] = load_model("openai:m", base_url=address, labels="happy,sad").predict([face(1)])
    assert (answer.status, "what?" in answer.detail) == ("error", True)
    address, _ = serve(lambda _: (401, {"error": {"message": "bad key"}}))
    with pytest.raises(ModelError, match="answered with status 401"):
        load_model("openai:m", base_url=address, labels="happy,sad").predict([face(1)])
    address, _ = serve(lambda _: (500, b"down"))
    [answer] = load_model("openai:m", base_url=address, labels="happy,sad").predict([face(1)])
    assert (answer.status, answer.detail) == ("error", "the service answered with status 500 (down)")


def test_answers_are_recorded_and_replayed(serve, tmp_path):
    """A replay sends nothing, gives the same answers, and is the same run; a missing answer is an error."""
    address, server = serve(rated)
    file = tmp_path / "deep" / "answers.jsonl"
    options = {"labels": "happy,sad"}
    model = load_model("openai:m", base_url=address, record=str(file), **options)
    first = model.predict([face(1), face(2)])
    load_model("openai:m", base_url=address, record=str(file), **options).predict([face(1), face(2), face(3)])
    assert len(server.asked) == 3
    replayed = load_model("openai:m", replay=str(file), **options)
    again = replayed.predict([face(1), face(2)])
    assert [a.scores.tolist() for a in again] == [a.scores.tolist() for a in first]
    assert len(server.asked) == 3
    declared = [fairfer.models.boundary.declaration(m) for m in (model, replayed)]
    assert declared[0] == declared[1]
    with pytest.raises(ModelError, match="the recording has no answer for an image"):
        replayed.predict([face(9)])
    with pytest.raises(ModelError, match="the recording has no answer"):
        load_model("openai:other", replay=str(file), **options).predict([face(1)])
    with pytest.raises(ModelError, match="record into another file"):
        load_model("openai:m", base_url="http://127.0.0.1:1", record=str(file), **options)


def test_a_recording_survives_being_cut_off(serve, tmp_path):
    """A process that was killed leaves at most one unfinished line; damage elsewhere is an error."""
    address, server = serve(rated)
    file = tmp_path / "a.jsonl"
    options = {"labels": "happy,sad", "base_url": address, "record": str(file)}
    load_model("openai:m", **options).predict([face(1), face(2)])
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole[:-20], encoding="utf-8")
    load_model("openai:m", **options).predict([face(1), face(2)])
    assert len(server.asked) == 3
    load_model("openai:m", **options).predict([face(1), face(2)])
    assert len(server.asked) == 3
    file.write_text("{broken\n" + whole, encoding="utf-8")
    with pytest.raises(ModelError, match="line 1, is not a recorded response"):
        load_model("openai:m", **options)
    with pytest.raises(ModelError, match="does not exist; record it first"):
        load_model("openai:m", replay=str(tmp_path / "missing"), labels="happy,sad")
    with pytest.raises(ModelError, match="cannot be read as a recording"):
        load_model("openai:m", replay=str(tmp_path), labels="happy,sad")


def test_the_prompt_is_data_and_part_of_the_identity(serve, tmp_path):
    address, server = serve(rated)
    path = tmp_path / "prompt.toml"
    path.write_text('user = "Which of {labels}?"\nstructured = false\nmax_tokens = 9\n', encoding="utf-8")
    model = load_model("openai:m", base_url=address, labels="happy,sad", prompt=str(path))
    model.predict([face(1)])
    [(_, body, _)] = server.asked
    assert body["messages"][0]["content"][0]["text"] == "Which of happy, sad?"
    assert (body["max_tokens"], "response_format" in body) == (9, False)
    assert model.version != load_model("openai:m", base_url=address, labels="happy,sad").version


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("user = 3", "user: input should be a valid string"),
        ('user = "Which?"', "user does not contain {labels}"),
        ('user = "{labels}"\ntemperature = 1', "temperature: extra inputs are not permitted"),
        ("user =", "is not valid TOML"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_wrong_prompt_is_one_line(tmp_path, content, complaint):
    path = tmp_path / "prompt.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load_model("openai:m", base_url="http://127.0.0.1:1", prompt=str(path))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "has no address; add --option base_url=http://localhost:11434/v1 (Ollama)"),
        ({"base_url": "http://127.0.0.1:1", "record": "a", "replay": "b"}, "exclude each other"),
        ({"base_url": "http://127.0.0.1:1", "concurrency": "0"}, "must be a whole number from 1 to 64"),
        ({"base_url": "http://127.0.0.1:1", "labels": "happy"}, "is neither a list nor a label space"),
        ({"base_url": "ftp://127.0.0.1"}, "is not an address"),
    ],
)
def test_a_wrong_option_is_one_line(options, complaint):
    pytest.importorskip("httpx", reason="httpx is not installed")
    with pytest.raises(ModelError) as caught:
        load_model("openai:m", **options)
    assert complaint in str(caught.value)
    assert chat.readiness().state == "needs a service"


@pytest.mark.slow
def test_refusals_show_in_the_coverage_of_each_group(serve, tmp_path, monkeypatch, toy):
    """A model that declines to rate one group is not fair: its coverage says so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    rows = []
    for i in range(80):
        Image.new("RGB", (6, 6), (2 * i, 2 * i, 2 * i)).save(tmp_path / "faces" / f"{i}.png")
        rows.append({"file_name": f"{i}.png", "label": "happy" if i % 4 < 2 else "sad", "sex": "female" if i % 2 else "male"})
    pd.DataFrame(rows).to_csv(tmp_path / "faces" / "metadata.csv", index=False)

    def answer(body):
        image = pixels(body["messages"][-1]["content"][1]["image_url"]["url"].partition(",")[2])
        return (200, completion("I cannot judge women.")) if image[0, 0, 0] // 2 % 2 else rated(body)

    address, _ = serve(answer)
    command = ["audit", "faces", "--model", "openai:m", "--option", f"base_url={address}", "--option", "labels=happy,sad"]
    result = CliRunner().invoke(app, [*command, "--by", "sex", "--out", "run", "--permutations", "200"])
    assert result.exit_code == 0, result.output
    groups = pd.read_csv("run/tables/groups.csv").set_index("group")
    assert groups.loc["female", "refused"] == 40
    assert groups.loc["male", "refused"] == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "model declined to answer" in page


@pytest.mark.slow
def test_a_killed_run_asks_for_no_answer_twice(tmp_path, serve):
    """Kill -9 in the middle; the recording keeps every answer that was paid for."""

    def slowly(body):
        time.sleep(0.05)
        return rated(body)

    address, server = serve(slowly)
    (tmp_path / "faces" / "happy").mkdir(parents=True)
    for i in range(60):
        Image.new("RGB", (6, 6), (i, i, i)).save(tmp_path / "faces" / "happy" / f"{i}.png")
    command = [
        sys.executable, "-m", "fairfer", "predict", "faces", "--model", "openai:m", "--option", f"base_url={address}",
        "--option", "labels=happy,sad", "--option", "record=answers.jsonl", "--option", "concurrency=1", "--out", "run",
    ]  # fmt: skip
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        if len(server.asked) > 10:
            break
        time.sleep(0.05)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert len(server.asked) <= 62


def test_descriptions_and_answers_are_checked():
    """What a program says is checked in one place."""
    space = LabelSpace.of("m", ["happy", "sad"])
    assert read_answer({"scores": {"happy": 1, "sad": 0}}, space, "model m").status == "ok"
    assert read_description({**DESCRIPTION, "task": "multi-label"}, "model m").task == "multi-label"
