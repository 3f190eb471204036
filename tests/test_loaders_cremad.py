"""CREMA-D: human ratings audited as if they were a model, on a small tree with the official headers and codes."""

from __future__ import annotations

import contextlib

import pytest

from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.cli.main import main
from fairfer.datasets.loaders.cremad import LOADER
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.predictions.inference import predict
from fairfer.testing import check_layout, check_loader

ACTORS = """"ActorID","Age","Sex","Race","Ethnicity"
1001,51,"Male","Caucasian","Not Hispanic"
1002,21,"Female","Caucasian","Not Hispanic"
1047,22,"Female","Unknown","Hispanic"
"""
SUMMARY = """"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"
"1","1001_IEO_NEU_XX","N","71.73","N","63","N","72.12"
"2","1001_IEO_HAP_LO","N","62","H","80.5","H","64.22"
"3","1001_IEO_ANG_MD","A:D","37.20:58.60","D","52.67","A","59.4"
"4","1002_TIE_SAD_XX","N","52","A:D:N","63:24:51","S","53.4"
"5","1002_IEO_FEA_HI","F","67","F","75.2","F","80"
"6","1047_IEO_DIS_LO","D","67","D","75.2","D","80"
"""
HEADER = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote","meanEmoResp"\n'
FACE = [(0, 0, 0, 1, 9, 0), (0, 0, 0, 6, 2, 0), (3, 5, 0, 0, 2, 0), (3, 3, 0, 0, 3, 1), (0, 1, 8, 0, 0, 0), (1, 7, 1, 0, 0, 1)]


def tabulated(prefix: int, rows) -> str:
    clips = [line.split('"')[3] for line in SUMMARY.splitlines()[1:]]
    lines = []
    for i, (clip, counts) in enumerate(zip(clips, rows, strict=True), 1):
        total = sum(counts)
        lines.append(f'"{prefix}{i:05}",{",".join(map(str, counts))},"{clip}",{total},{max(counts) / total},"N",50\n')
    return "".join(lines)


@pytest.fixture
def crema(tmp_path):
    folder = tmp_path / "CREMA-D"
    (folder / "processedResults").mkdir(parents=True)
    (folder / "VideoDemographics.csv").write_text(ACTORS)
    (folder / "processedResults" / "summaryTable.csv").write_text(SUMMARY)
    voice = [(1, 1, 1, 1, 1, 1)] * 6
    (folder / "processedResults" / "tabulatedVotes.csv").write_text(HEADER + tabulated(1, voice) + tabulated(2, FACE))
    return folder


def test_truth_is_the_intended_emotion_and_the_answer_that_of_most_raters(crema):
    """A tie of three is no answer; it is kept with a status and says so."""
    data = load_dataset(crema, votes="face")
    assert list(data.samples["label"]) == ["neutral", "happiness", "anger", "sadness", "fear", "disgust"]
    frame = data.recorded.frame
    assert list(frame["predicted"].fillna("")) == ["neutral", "happiness", "disgust", "", "fear", "disgust"]
    assert list(frame["status"]) == ["ok", "ok", "ok", "refused", "ok", "ok"]
    assert frame["detail"].iloc[3] == "as many raters said anger as disgust as neutral"
    assert frame["score:neutral"].iloc[0] == pytest.approx(0.9)
    assert frame.filter(like="score:").iloc[3].isna().all()
    assert data.recorded.model == "human raters (face)"
    check_loader(data)
    check_layout(LOADER, crema, votes="face")


def test_attributes_are_those_of_the_actor(crema):
    data = load_dataset(crema, votes="voice")
    assert data.attribute("sex").source == data.attribute("race").source == "self-reported"
    assert data.attribute("race").levels == ("Caucasian", "unannotated")
    assert data.attribute("race").missing_words == {"Unknown": 1}
    assert list(data.samples["ActorID"]) == ["1001"] * 3 + ["1002"] * 2 + ["1047"]
    assert data.attribute("level").levels == ("low", "medium", "high", "unspecified")
    banded = load_dataset(crema, votes="voice", bands={"age": [30]})
    assert list(banded.samples["age"]) == ["30 and over"] * 3 + ["under 30"] * 3
    assert list(data.recorded.frame["status"]).count("refused") == 1


def test_overall_agreement_counts_ties_as_missed(crema, tmp_path):
    """By hand: face 4 of 6, male 2 of 3, female 2 of 3."""
    data = load_dataset(crema, votes="face")
    plan = AuditPlan.of({"by": ("sex",), "permutations": 100})
    rates = audit_predictions(data, predict(data, None, tmp_path / "run"), plan).rates
    counts = {r.group: (r.numerator, r.denominator) for r in rates if r.rate == "accuracy"}
    assert counts == {(): (4, 6), ("Female",): (2, 3), ("Male",): (2, 3)}


def test_by_one_command(crema, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["fairfer", "audit", str(crema), "--votes", "face", "--subject", "ActorID", "--out", str(tmp_path / "r")]
    )
    with contextlib.suppress(SystemExit):
        main()
    assert (tmp_path / "r" / "audit.json").is_file()


def test_the_kind_of_rating_has_to_be_chosen(crema):
    with pytest.raises(UsageError, match="--votes face"):
        load_dataset(crema)
    with pytest.raises(UsageError, match="'fase' is not a kind of rating"):
        load_dataset(crema, votes="fase")


def test_without_the_table_of_votes_there_are_no_scores(crema):
    """Likewise where it lacks clips (multimodal has no rows here)."""
    assert not [c for c in load_dataset(crema, votes="multimodal").recorded.frame if c.startswith("score:")]
    (crema / "processedResults" / "tabulatedVotes.csv").unlink()
    data = load_dataset(crema, votes="face")
    assert not [c for c in data.recorded.frame if c.startswith("score:")]
    assert any("tabulatedVotes" in s.what for s in data.steps)


@pytest.mark.parametrize(
    ("file", "before", "after", "reason"),
    [
        ("VideoDemographics.csv", "1047", "1048", "no actor 1047"),
        ("VideoDemographics.csv", '"Sex"', '"Gender"', "no column 'Sex'"),
        ("processedResults/summaryTable.csv", "1001_IEO_NEU_XX", "1001_IEO_NEU_YY", "not a name such as"),
        ("processedResults/summaryTable.csv", "1001_IEO_HAP_LO", "1001_IEO_NEU_XX", "repeated name"),
        ("processedResults/summaryTable.csv", '"A:D:N"', '"A:Q"', "'Q'"),
        ("processedResults/tabulatedVotes.csv", '"fileName"', '"clip"', "cannot be read"),
        ("processedResults/tabulatedVotes.csv", "0,0,0,6,2,0", "0,0,0,6,-2,0", "negative"),
    ],
)
def test_damaged_files_are_one_line(crema, file, before, after, reason):
    path = crema / file
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(DataError, match=reason):
        load_dataset(crema, votes="face")


def test_a_clip_without_ratings_is_kept(crema):
    path = crema / "processedResults" / "summaryTable.csv"
    path.write_text(path.read_text().replace('"F","75.2"', '"",""'))
    data = load_dataset(crema, votes="face")
    assert data.recorded.frame["status"].iloc[4] == "error"
    check_loader(data)


def test_the_card_states_the_license():
    assert "ODbL" in LOADER.card.license
