"""The documentation describes what the tool does: options, keys, names, files, columns, links and examples."""

from __future__ import annotations

import csv
import dataclasses
import functools
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import typer

import fairfer
from fairfer.audits.comparison import Comparison
from fairfer.audits.probe_identity import plan_digest
from fairfer.audits.result import Audit
from fairfer.cli.config import _NOT_IN_A_FILE
from fairfer.cli.main import app, main
from fairfer.explanations.explanation_results import EXPLANATIONS, Explanations
from fairfer.explanations.probes.results import PROBES, ProbeResult, Probes
from fairfer.gate.policy import JUDGED_RATES, Policy, Rule, Waiver
from fairfer.gate.verdict import EXIT_CODES, Verdict
from fairfer.labels import FERPLUS
from fairfer.models.adapters.onnx.description import Description, Input, Output
from fairfer.report.sections import csv_names

PROJECT = Path(__file__).parent.parent
DOCS = PROJECT / ".github" / "docs"
PAGES = sorted([PROJECT / "README.md", *DOCS.glob("*.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
ROWS = 200


@pytest.fixture(params=PAGES, ids=lambda path: path.name)
def page(request) -> SimpleNamespace:
    """One page: its path and its text."""
    return SimpleNamespace(path=request.param, text=request.param.read_text(encoding="utf-8"))


@functools.cache
def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str, level: int) -> dict[str, str]:
    """Sections of a page by their heading."""
    parts = re.split(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_cells(text: str) -> list[str]:
    """Every code span in the first column of the tables of a text."""
    rows = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def anchors(text: str) -> Iterator[str]:
    """Anchors that GitHub gives to the headings of a page; repeated ones get a number."""
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        yield anchor if anchor not in seen else f"{anchor}-{seen[anchor]}"
        seen[anchor] = seen.get(anchor, 0) + 1


def flags(command: str) -> set[str]:
    """Long options of a command."""
    return {o for p in COMMANDS[command].params for o in p.opts if o.startswith("--")} - {"--help"}


# Links


def test_links_lead_somewhere(page) -> None:
    """Every relative link names a file that exists, and an anchor that the file has."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.text):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.path.parent / path).resolve() if path else page.path
        assert file.exists(), target
        if anchor:
            assert anchor in set(anchors(file.read_text(encoding="utf-8"))), target


def test_every_page_is_listed() -> None:
    """The list of pages is complete, and the README leads to it."""
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", read("README.md")))
    assert listed == {p.name for p in DOCS.glob("*.md")} - {"README.md"}
    assert ".github/docs/README.md" in (PROJECT / "README.md").read_text(encoding="utf-8")


# Command line and configuration


def test_options_named_anywhere_exist(page) -> None:
    """No page names an option that no command has."""
    text = re.sub(r"^.*pytest.*$|^.*TESTS=.*$", "", page.text, flags=re.MULTILINE)
    existing = {o for command in COMMANDS for o in flags(command)} | {"--help", "--version"}
    assert set(OPTION.findall(text)) - existing == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_command_line_page_has_the_options_of_each_command(command) -> None:
    """command-line.md documents exactly the options of each command, under its heading."""
    section = sections(read("command-line.md"), 2)[f"fairfer {command}"]
    documented = set(OPTION.findall(" ".join(first_cells(section))))
    if command == "predict":  # its options are those of audit and only listed
        documented = set(OPTION.findall(section.split("It takes these options")[1])) - {"--out ."}
    assert documented == flags(command)


def test_command_line_page_has_every_command() -> None:
    """Nothing is documented that is no command."""
    assert set(sections(read("command-line.md"), 2)) == {f"fairfer {name}" for name in COMMANDS}


def test_defaults_of_the_plan_are_stated() -> None:
    """The numbers on the page are those of the command."""
    section = sections(read("command-line.md"), 2)["fairfer audit"]
    defaults = {p.name: p.default for p in COMMANDS["audit"].params}
    for name in ("minimum", "confidence", "permutations", "seed"):
        row = next(line for line in section.splitlines() if line.startswith(f"| `--{name}"))
        assert row.rstrip(" |").endswith(f"{defaults[name]:,}"), row


def test_configuration_page_has_every_key() -> None:
    """configuration.md lists exactly the keys that [audit] takes, each with its option."""
    table = read("configuration.md").split("| key |")[1]
    keys = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
    options = {p.name: p for p in COMMANDS["audit"].params if p.name not in _NOT_IN_A_FILE}
    assert keys == [name.replace("_", "-") for name in options]
    for key, kind in re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", table, re.MULTILINE):
        option = options[key.replace("-", "_")]
        expected = "list of strings" if getattr(option, "multiple", False) else None
        expected = "true or false" if getattr(option, "is_flag", False) else expected
        assert expected == kind if expected else kind in ("string", "number")


# Python


def test_python_page_has_every_public_name() -> None:
    """python.md has a section for each public name and for no other."""
    headings = re.findall(r"^### fairfer\.(\w+)$", read("python.md"), re.MULTILINE)
    assert sorted(headings) == sorted(fairfer.__all__)


def test_python_page_has_the_signatures() -> None:
    """The signature of every function is as it is written there."""
    for heading, text in sections(read("python.md"), 3).items():
        function = getattr(fairfer, heading.removeprefix("fairfer."))
        if inspect.isclass(function):
            continue
        signature = inspect.signature(function)
        plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        expected = str(signature.replace(parameters=plain, return_annotation=signature.empty))
        expected = expected.replace(repr(iter), "iter")
        assert text.strip().splitlines()[0].strip() == f"{function.__name__}{expected}"


def test_python_page_names_tables_and_settings() -> None:
    """Tables of `Audit.frame` and fields of the plan are those that exist."""
    from fairfer.audits.result import TABLES

    by_name = {h: t for h, t in sections(read("python.md"), 3).items() if h == "fairfer.Audit"}
    row = next(line for line in by_name["fairfer.Audit"].splitlines() if "`frame(name)`" in line)
    assert set(re.findall(r"`(\w+)`", row)) == set(TABLES)
    plan = sections(read("python.md"), 3)["fairfer.AuditPlan"].split("They mean")[0]
    assert set(re.findall(r"`(\w+)`", plan)) == set(fairfer.AuditPlan.model_fields)


# Outputs


@pytest.fixture(scope="session")
def tables() -> dict[str, list[str]]:
    """Columns of every table that outputs.md documents."""
    parts = sections(read("outputs.md").split("## Tables")[1].split("\n## ")[0], 3)
    return {name: first_cells(text) for name, text in parts.items()}


def documented_keys(heading: str) -> set[str]:
    return set(first_cells(sections(read("outputs.md"), 2)[heading]))


def rich_audit(folder: Path) -> Path:
    """A run with votes, duplicates, scores, inferred groups with probabilities and standardization: every table."""
    rng = np.random.default_rng(0)
    index = pd.Index([f"{i}.png" for i in range(ROWS)], name="sample_id", dtype="str")
    names = FERPLUS.labels[:3]
    label = rng.choice(names, ROWS)
    female = rng.random(ROWS)
    votes = pd.DataFrame(0, index=index, columns=list(FERPLUS.labels))
    for i, name in enumerate(label):
        extra = int(rng.integers(0, 4))
        votes.loc[index[i], name] = 10 - extra
        votes.loc[index[i], names[(names.index(name) + 1) % 3]] = extra
    votes.loc[index[1::2]] = votes.loc[index[1::2]].to_numpy()[rng.permutation(ROWS // 2)]
    scores = rng.dirichlet(np.ones(3), ROWS)
    scores[np.arange(ROWS), [names.index(n) for n in label]] += 1
    scores /= scores.sum(axis=1, keepdims=True)
    samples = pd.DataFrame(
        {
            "label": label,
            "gender": np.where(female > 0.5, "female", "male"),
            "p_female": female,
            "race": np.where(np.arange(ROWS) % 3, "white", "black"),
            "person": [f"person{i % 90}" for i in range(ROWS)],
            "duplicate_group": [f"pair{i // 2}" for i in range(ROWS)],
        },
        index=index,
    )
    frame = pd.DataFrame({"status": "ok", "predicted": [names[k] for k in scores.argmax(1)], "detail": ""}, index=index)
    for i, name in enumerate(names):
        frame[f"score:{name}"] = scores[:, i].astype("float32")
    from fairfer.audits.audit import audit_predictions
    from fairfer.audits.plan import AuditPlan
    from fairfer.datasets.action_unit_tables import ActionUnitTable
    from fairfer.datasets.attributes import Attribute
    from fairfer.datasets.dataset import Dataset, RecordedPredictions
    from fairfer.labels import LabelSpace

    space = LabelSpace.of("three", names)
    gender = Attribute("gender", ("female", "male"), "inferred", "a model", probabilities={"female": "p_female"})
    units = pd.DataFrame(rng.integers(0, 2, (ROWS, 3)), index=index, columns=["AU6", "AU12", "AU5"])
    dataset = Dataset(
        name="docs",
        labels=FERPLUS,
        samples=samples,
        action_units=ActionUnitTable(units, "units.csv", "labels"),
        attributes=(gender, Attribute("race", ("black", "white"), "annotated", "us")),
        votes=votes,
        recorded=RecordedPredictions("recorded", space, frame, "1"),
    )
    options = {
        "standardize": ["vote_entropy"],
        "subject": "person",
        "pool": True,
        "interaction": True,
        "gee": True,
        "answer_times": True,
    }
    plan = AuditPlan.of({"by": ["gender", "gender,race"], "minimum": 5, "permutations": 200, **options})
    times = pd.DataFrame({"seconds": 0.25, "images": 1}, index=samples.index)
    audit = audit_predictions(dataset, dataclasses.replace(fairfer.predict(dataset), times=times), plan)
    unseen = ProbeResult(perturbation="mirror", level="on", position=None, unchanged=0, flips=[], gaps=[], changes=[])
    Probes(
        predictions_digest=audit.model.predictions_digest,
        data_digest=audit.data.digest,
        plan_digest=plan_digest(audit.plan),
        task=audit.task,
        samples=ROWS,
        results=[unseen],
    ).write(folder / PROBES)
    Explanations(
        predictions_digest=audit.model.predictions_digest,
        data_digest=audit.data.digest,
        plan_digest=plan_digest(audit.plan),
        model="recorded",
        model_version="1",
        pairs=0,
        faces=0,
        unanswered=0,
        landmarks="",
        on_landmarks=0,
        minimum=5,
        permutations=200,
        seed=0,
        methods=[],
        agreement=[],
    ).write(folder / EXPLANATIONS)
    return fairfer.write_report(audit, folder).parent


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    return rich_audit(tmp_path_factory.mktemp("docs"))


def test_tables_are_documented(run_folder, tables) -> None:
    """An audit that has everything writes exactly the tables of outputs.md, with exactly these columns."""
    written = {}
    for path in (run_folder / "tables").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            written[path.name] = next(csv.reader(file))
    assert written.keys() == tables.keys() == csv_names()
    for name, columns in written.items():
        assert sorted(columns) == sorted(tables[name]), name


def test_common_columns_are_in_some_table(tables) -> None:
    """The names that outputs.md explains once occur."""
    common = first_cells(read("outputs.md").split("### rates.csv")[0].split("## Tables")[1])
    everywhere = {c for columns in tables.values() for c in columns}
    assert set(common) <= everywhere


def test_rates_are_documented(run_folder) -> None:
    """statistics.md has every rate that an audit computes, single-label and multi-label."""
    from fairfer.metrics.rate_definitions import LABEL_RATES
    from fairfer.metrics.rates import overall_rates

    rows = re.findall(r"^\| ([^|]+) \|", sections(read("statistics.md"), 2)["Rates"], re.MULTILINE)
    documented = {name for row in rows[1:] for name in re.sub(r" \(.*", "", row).split(", ")}
    rates = {r.rate for r in Audit.read(run_folder).rates}
    assert documented == {*LABEL_RATES, *overall_rates("single-label"), *overall_rates("multi-label")} >= rates


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("audit.json", Audit),
        ("comparison.json", Comparison),
        ("explanations.json", Explanations),
        ("probes.json", Probes),
        ("verdict.json", Verdict),
    ],
)
def test_keys_of_json_files_are_documented(heading, model) -> None:
    """The keys are those of the result type, and the schema version is its own."""
    assert documented_keys(heading) == set(model.model_fields)
    version = re.search(r"`schema_version` \| (\d+) \|", sections(read("outputs.md"), 2)[heading])
    assert version is not None
    assert int(version[1]) == model.model_fields["schema_version"].default


# Gate


def test_policy_keys_are_documented() -> None:
    """gate.md has every key of a rule, a waiver and a policy, and every rate that a rule may name."""
    section = sections(read("gate.md"), 2)["Policy"]
    rule, rest = section.split("**Keys of a rule**")[1].split("**Keys of a waiver**")
    waiver, policy = rest.split("**Key of the policy**")
    assert set(first_cells(rule)) == set(Rule.model_fields)
    assert set(first_cells(waiver)) == set(Waiver.model_fields)
    assert set(first_cells(policy)) == set(Policy.model_fields) - {"rules", "waivers"}
    row = next(line for line in rule.splitlines() if line.startswith("| `rate`"))
    assert set(re.findall(r"`([^`]+)`", row)) - {"rate"} == set(JUDGED_RATES)


def test_exit_codes_are_documented() -> None:
    """The table of outcomes has the exit codes that a verdict has, and 2 for trouble."""
    rows = re.findall(r"^\| ([a-z ]+) \| (\d) \|", sections(read("gate.md"), 2)["Outcomes"], re.MULTILINE)
    assert {name: int(code) for name, code in rows} == {**EXIT_CODES, "could not run": 2}


@pytest.mark.parametrize("path", [PROJECT / "README.md", DOCS / "gate.md"], ids=lambda p: p.name)
def test_policies_in_the_documentation_are_valid(path, tmp_path) -> None:
    """Every TOML block with rules is a policy."""
    blocks = [b for b in re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL) if "[[rules]]" in b]
    assert blocks
    for block in blocks:
        (tmp_path / "policy.toml").write_text(block)
        assert fairfer.read_policy(tmp_path / "policy.toml").rules


# Models and data


def test_onnx_keys_are_documented() -> None:
    """models.md has every key of the description of a graph, and its example is valid."""
    section = next(text for heading, text in sections(read("models.md"), 2).items() if "onnx" in heading)
    keys = set(first_cells(section.split("| option |")[0]))
    expected = set(Description.model_fields) - {"input", "output"}
    expected |= {f"input.{k}" for k in Input.model_fields} | {f"output.{k}" for k in Output.model_fields}
    assert keys == expected
    [block] = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    assert Description.model_validate(tomllib.loads(block)).input.preprocessing.channels == 1


def test_own_model_of_the_models_page_works(tmp_path, monkeypatch) -> None:
    """The class that models.md shows keeps the contract of a model, and is found by the name that it is given there."""
    from fairfer.testing import check_model

    section = next(text for heading, text in sections(read("models.md"), 2).items() if "attribute" in heading)
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "smiles.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    check_model(fairfer.load_model("smiles:Smiles"))


def test_loaders_are_documented() -> None:
    """data.md has every loader with its options."""
    from fairfer.datasets.loading import loaders

    rows = dict(re.findall(r"^\| `([\w+-]+)` \| [^|]+ \| ([^|]*) \|$", read("data.md"), re.MULTILINE))
    for name, loader in loaders().items():
        assert set(re.findall(r"`--([a-z-]+)`", rows[name])) == {o.replace("_", "-") for o in loader.options}


def test_provenance_of_the_data_page_is_valid(tmp_path) -> None:
    """The TOML of data.md is read, and its table has every key."""
    from fairfer.datasets.demographics import Provenance

    section = sections(read("data.md"), 2)["Attributes and their provenance"]
    assert set(first_cells(section)) == set(Provenance.__dataclass_fields__)
    [block] = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    (tmp_path / "t.toml").write_text(block)
    (tmp_path / "t.csv").write_text("label,pred,gender,p_female\nhappy,happy,female,0.9\nsad,sad,male,0.2\n")
    attribute = fairfer.load_dataset(tmp_path / "t.csv").attribute("gender")
    assert attribute.source == "inferred"
    assert attribute.probabilities == {"female": "p_female"}


# Commands of the README


@pytest.fixture
def workplace(tmp_path, monkeypatch, write_pictures) -> Path:
    """A working directory with the files that the README's commands name."""
    rng = np.random.default_rng(1)
    gender = rng.choice(["female", "male"], ROWS)
    label = rng.choice(["happiness", "anger"], ROWS)
    table = pd.DataFrame({"label": label, "pred": np.where(rng.random(ROWS) < 0.8, label, "anger"), "gender": gender})
    table.to_csv(tmp_path / "predictions.csv", index=False)
    units = pd.DataFrame({"gender": gender})
    for unit in ("AU6", "AU12"):
        truth = rng.integers(0, 2, ROWS)
        score = np.clip(0.5 * truth + 0.5 * rng.random(ROWS), 0, 1)
        units[f"truth_{unit}"], units[f"pred_{unit}"], units[f"score_{unit}"] = truth, (score >= 0.5).astype(int), score
    units.to_csv(tmp_path / "units.csv", index=False)
    names = [f"{i}.png" for i in range(40)]
    write_pictures(tmp_path / "faces", names)
    ages = [15 + i for i in range(40)]
    rows = pd.DataFrame({"file_name": names, "label": ["happy", "sad"] * 20, "gender": ["female", "male"] * 20, "age": ages})
    rows.to_csv(tmp_path / "faces" / "metadata.csv", index=False)
    emotions = dict.fromkeys(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"), 0.0) | {"happy": 100.0}
    answers = [
        {"image": name, "label": truth, "gender": sex, "result": [{"emotion": emotions, "dominant_emotion": "happy"}]}
        for name, truth, sex in zip(names, rows["label"], rows["gender"], strict=True)
    ]
    (tmp_path / "deepface.json").write_text(json.dumps(answers), encoding="utf-8")
    (tmp_path / "package").mkdir()
    network = "import torch\n\nnet = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 2))\n"
    (tmp_path / "package" / "module.py").write_text(network, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


INPUTS = 7
"""Audits in the README's table of inputs."""


def readme_commands() -> list[str]:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    inputs = re.findall(r"^\|.*\| `(fairfer audit [^`]+)`", text, re.MULTILINE)  # the table "you have, command"
    assert len(inputs) == INPUTS
    here = [one for one in inputs if not re.search(r"hf:|hf-dataset:|raf-db", one)]  # the others need a download
    return re.findall(r"^ {4}(fairfer audit .+)$", text, re.MULTILINE) + here


@pytest.mark.parametrize("command", readme_commands())
def test_commands_of_the_readme_run(command, workplace, monkeypatch, capsys) -> None:
    """Each audit that the README shows runs as it is written; DeepFace, whose weights are not here, is the bundled model."""
    if "torch:" in command:
        pytest.importorskip("torch")
    arguments = shlex.split(command.replace("--model deepface", "--model baseline"))[1:]
    monkeypatch.setattr(sys, "argv", ["fairfer", *arguments, "--permutations", "200", "--minimum", "5", "--out", "run"])
    with pytest.raises(SystemExit) as stop:
        main()
    output = capsys.readouterr()
    assert not stop.value.code, output.err
    assert (workplace / "run" / "report.html").is_file()
    assert "Report: run/report.html" in output.out


def test_configuration_of_the_readme_runs(workplace, monkeypatch, capsys) -> None:
    """The table [audit] of the README is read."""
    [block] = re.findall(r"```toml\n(\[audit\].*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (workplace / "fairfer.toml").write_text(block.replace(', "gender,race"', ""))
    monkeypatch.setattr(sys, "argv", ["fairfer", "audit", "--permutations", "200", "--out", "run"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code, capsys.readouterr().err
    assert Audit.read(workplace / "run").data.name == "predictions"


def test_policy_of_the_readme_judges_the_audit_of_its_workflow(workplace, monkeypatch, capsys) -> None:
    """The README's policy names nothing that ``fairfer audit … --by gender`` lacks: the gate comes to a verdict."""
    [block] = re.findall(r"```toml\n(\[\[rules.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (workplace / "fairfer.toml").write_text(block)
    dataset = fairfer.load_dataset("predictions.csv", truth="label", predicted="pred")
    audit = fairfer.audit(dataset, fairfer.predict(dataset), by=["gender"], permutations=200)
    audit.write(workplace / "run" / "audit.json")
    monkeypatch.setattr(sys, "argv", ["fairfer", "gate", "run"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in EXIT_CODES.values(), capsys.readouterr().err


@pytest.fixture
def plugin(tmp_path) -> dict[str, str]:
    """The package of extending.md, installed for one process: its environment."""
    blocks = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", read("extending.md"), re.DOTALL)
    for name, content in blocks:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert {name for name, _ in blocks} == {
        "pyproject.toml", "fairfer_mood/model.py", "fairfer_mood/loader.py", "tests/test_plugin.py",
    }  # fmt: skip
    (tmp_path / "fairfer_mood" / "__init__.py").touch()
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = tmp_path / "fairfer_mood-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = {g: "".join(f"{k} = {v}\n" for k, v in points.items()) for g, points in project["entry-points"].items()}
    (metadata / "entry_points.txt").write_text("".join(f"[{g}]\n{points}" for g, points in groups.items()))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


@pytest.mark.slow
def test_the_plugin_of_the_page_passes_its_own_tests(plugin, tmp_path) -> None:
    """Its code, its tests and its command work as the page shows them."""
    run = functools.partial(subprocess.run, cwd=tmp_path, env=plugin, capture_output=True, text=True, check=False)
    tested = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", "--basetemp", str(tmp_path / "t")])
    assert tested.returncode == 0, tested.stdout
    listed = run([sys.executable, "-m", "fairfer", "models"])
    assert re.search(r"mood: +ready +A model of two numbers in a JSON file", listed.stdout), listed
    shutil.copytree(tmp_path / "t" / "test_loader0" / "moods", tmp_path / "moods")
    (tmp_path / "mood.json").write_text('{"weights": [2.0, -1.0]}', encoding="utf-8")
    command = re.findall(r"^    fairfer (audit moods/.*)", read("extending.md"), re.MULTILINE)[0]
    audited = run([sys.executable, "-m", "fairfer", *command.split(), "--out", "run"])
    assert audited.returncode == 0, audited.stderr
    options = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["options"]
    assert options["size"] == "8x8"
