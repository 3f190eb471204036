"""Programs and services that would attribute answers to the wrong face, hang, reveal a secret, or end with a traceback."""

from __future__ import annotations

import http.server
import itertools
import json
import shlex
import sys
import threading
import time

import numpy as np
import pytest

from fairfer.errors import ModelError
from fairfer.models import service as services
from fairfer.models.registry import load_model

pytest.importorskip("httpx", reason="needs the extra http")

DESCRIPTION = {"name": "m", "version": "1", "labels": ["happy", "sad"]}
START = f"import json, sys, time\nprint(json.dumps({DESCRIPTION!r}), flush=True)\n"


def face(level):
    return np.full((4, 4, 3), level, np.uint8)


@pytest.fixture
def program(tmp_path):
    def program(body):
        path = tmp_path / "model.py"
        path.write_text(START + body, encoding="utf-8")
        return f"process:{shlex.quote(sys.executable)} {shlex.quote(str(path))}"

    return program


@pytest.fixture
def serve(monkeypatch):
    """The address of a server whose answer to a POST is a function of the request's body and headers."""
    monkeypatch.setattr(services, "FIRST_WAIT", 0.0)
    servers = []

    def serve(post):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(200, DESCRIPTION, {})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.answer(*post(body, self.headers))

            def answer(self, status, value, headers):
                data = json.dumps(value).encode()
                self.send_response(status)
                for name, text in {"content-length": str(len(data)), **headers}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/v1"

    yield serve
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(text):
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}


def chat(url, **options):
    return load_model("openai:x", base_url=url, labels="happy,sad", **options)


@pytest.mark.parametrize("key", ["'id': asked['id'], ", ""])
def test_a_second_answer_is_not_taken_for_the_next_image(program, key):
    answer = f"{{{key}'scores': {{'happy': 0.5, 'sad': 0.5}}}}"
    model = load_model(
        program(f"for line in sys.stdin:\n asked = json.loads(line)\n for _ in '12': print(json.dumps({answer}), flush=True)\n")
    )
    with pytest.raises(ModelError, match="one answer for each image, with its id"):
        [model.predict([face(level)]) for level in range(3)]
    model.close()


def test_a_program_that_does_not_read_is_ended_in_time(program):
    """The image is larger than a pipe holds, so that writing it blocks."""
    model = load_model(program("time.sleep(600)\n"), timeout="1")
    image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(model.predict([image])), daemon=True)
    thread.start()
    thread.join(60)
    assert [(a.status, a.detail) for a in answers] == [("error", "the program did not read the image within 1 seconds")]


def test_answers_in_another_order_end_the_run(serve):
    def post(body, _):
        scores = {"happy": 0.5, "sad": 0.5}
        return 200, {"answers": [{"id": i["id"], "scores": scores} for i in reversed(body["images"])]}, {}

    with pytest.raises(ModelError, match="image 1 at position 0; return the answers in the order"):
        load_model(serve(post)).predict([face(1), face(2)])


def test_a_secret_that_the_service_repeats_is_hidden(serve, monkeypatch):
    monkeypatch.setenv("TOKEN", "sk-secret")

    def post(status):
        return serve(lambda _, headers: (status, {"header": headers["authorization"]}, {}))

    [answer] = load_model(post(500), token_env="TOKEN").predict([face(1)])
    assert answer.status == "error"
    assert "Bearer ***" in answer.detail
    with pytest.raises(ModelError, match=r"Bearer \*\*\*"):
        load_model(post(401), token_env="TOKEN").predict([face(1)])
    [answer] = chat(post(400), token_env="TOKEN").predict([face(1)])
    assert "Bearer ***" in answer.detail


@pytest.mark.parametrize("secret", ["sk-secret\n", "sk-secré", "sk secret"])
def test_a_secret_that_cannot_be_sent_is_one_line_without_it(serve, monkeypatch, secret):
    monkeypatch.setenv("TOKEN", secret)
    with pytest.raises(ModelError, match="TOKEN") as caught:
        load_model(serve(None), token_env="TOKEN")
    assert secret not in str(caught.value)


@pytest.mark.parametrize("header", ["nan", "-1", "soon"])
def test_a_senseless_waiting_time_is_ignored(header):
    assert services._asked_wait(header, 2.0) == 2.0


@pytest.mark.parametrize(
    ("scores", "complaint"),
    [({"happy": 10**400, "sad": 0}, "too large"), ({"happy": 0.1, "happiness": 0.9, "sad": 0}, "two scores")],
)
def test_scores_that_cannot_be_read_are_one_line(serve, scores, complaint):
    with pytest.raises(ModelError, match=complaint):
        load_model(serve(lambda *_: (200, {"answers": [{"scores": scores}]}, {}))).predict([face(1)])
    [answer] = chat(serve(lambda *_: (200, completion(json.dumps({"scores": scores})), {}))).predict([face(1)])
    assert (answer.status, complaint in answer.detail) == ("error", True)


def test_a_replay_is_equal_where_identical_images_got_different_answers(serve, tmp_path):
    numbers, lock = itertools.count(1), threading.Lock()

    def post(*_):
        with lock:
            happy = next(numbers) / 10
        time.sleep(0.3)  # so that both are asked before either is answered
        return 200, completion(json.dumps({"face": True, "scores": {"happy": happy, "sad": 1 - happy}})), {}

    path = str(tmp_path / "answers.jsonl")
    recorded = chat(serve(post), record=path, concurrency="2").predict([face(1), face(1)])
    assert next(numbers) == 3  # both were asked
    replayed = load_model("openai:x", replay=path, labels="happy,sad").predict([face(1), face(1)])
    assert [a.scores.tolist() for a in recorded] == [a.scores.tolist() for a in replayed]


def test_a_recording_can_be_cut_anywhere(serve, tmp_path):
    """Also within a character, and with text that UTF-8 cannot express."""
    path = tmp_path / "answers.jsonl"
    url = serve(lambda *_: (200, completion("désolé \ud800"), {}))
    chat(url, record=str(path)).predict([face(1)])
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    for cut in range(header, len(whole), 7):
        path.write_bytes(whole[:cut])
        assert chat(url, record=str(path)).predict([face(1)])[0].status == "refused"
        assert path.read_bytes() == whole
