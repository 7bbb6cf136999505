"""The JSON API as programs meet it: its own description holds, whatever is sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import httpx
import pytest
from conftest import Run

from desk.conftest import BICYCLE, STALKED, MakeClient, Running
from stalkflag import Assessor


def test_the_api_keeps_to_its_description(plain_desk: Running, tmp_path: Path) -> None:
    # By schemathesis's own command: its pytest plugin does not know the latest pytest.
    # It takes 413 for an acceptance unless told otherwise.
    (tmp_path / "schemathesis.toml").write_text(
        "[checks.negative_data_rejection]\n"
        'expected-statuses = ["400", "405", "413", "415", "422"]\n',
        encoding="utf-8",
    )
    command = [Path(sys.executable).with_name("schemathesis"), "run"]
    options = "--mode all --max-examples 5 --max-time 20 --generation-deterministic --no-color"
    done = subprocess.run(
        [*command, f"{plain_desk.url}/api/openapi.json", *options.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
    )
    told = "\n".join(line[:200] for line in done.stdout.splitlines())
    assert done.returncode == 0, told + done.stderr
    assert "4 selected / 4 total" in told


def test_an_assessment_is_the_same_as_the_command_lines(
    plain_desk: Running, run: Run, assessor: Assessor
) -> None:
    printed = json.loads(run("check", "--text", STALKED, "--format", "json").stdout)
    answer = httpx.post(f"{plain_desk.url}/api/assess", json={"text": STALKED}, timeout=30)
    assert answer.json() == printed == assessor.assess(STALKED).to_dict()
    assert answer.headers["content-type"] == "application/json"


def test_many_come_back_in_order(client: MakeClient, assessor: Assessor) -> None:
    asked = [{"text": BICYCLE, "id": "b"}, {"text": ""}, {"text": STALKED, "id": "a"}]
    found = client().api("assess-many", {"narratives": asked}).json()["assessments"]
    assert [one["id"] for one in found] == ["b", None, "a"]
    assert [one["suggestion"] for one in found] == ["neither", "neither", "stalking"]
    assert client().api("assess-many", {"narratives": []}).json() == {"assessments": []}


def test_offsets_are_into_the_text_exactly_as_sent(client: MakeClient) -> None:
    text = f"😀\r\n\u200b\x00 {STALKED}\r\n"
    assessment = client().api("assess", {"text": text}).json()
    for item in assessment["indicators"]["unwanted"]["evidence"]:
        assert text[item["start"] : item["end"]] == item["text"]


def test_half_a_character_turns_no_report_away(client: MakeClient) -> None:
    sent = rb'{"narratives": [{"text": "He fol\ud83dlowed her home every night", "id": "a\udc00"}]}'
    kind = {"Content-Type": "application/json"}
    answer = client().ask("POST", "/api/assess-many", content=sent, headers=kind)
    (found,) = answer.json()["assessments"]
    text = "He fol\ufffdlowed her home every night"
    evidence = [e for one in found["indicators"].values() for e in one["evidence"]]
    assert evidence and all(text[e["start"] : e["end"]] == e["text"] for e in evidence)
    assert found["id"] == "a\ufffd"


def test_the_law_is_that_of_the_day(client: MakeClient, assessor: Assessor) -> None:
    body = {"text": STALKED, "date": "2005-05-31"}
    then = client().api("assess", body).json()
    assert then == assessor.assess(STALKED, on=date(2005, 5, 31)).to_dict()
    assert client().api("assess", {**body, "date": "yesterday"}).status_code == 422


def test_the_version_names_what_an_assessment_rests_on(client: MakeClient) -> None:
    desk = client()
    version = desk.get("/api/version").json()
    assert version["model"] == desk.api("assess", {"text": STALKED}).json()["model"]
    law = desk.api("assess", {"text": STALKED}).json()["law"]
    assert (version["law"], version["law_sha256"]) == (law["profile"], law["sha256"])
    assert version["stalkflag"]
    assert desk.get("/api/health").json() == {"status": "ok"}


def test_the_page_about_the_api_names_every_call_and_field(client: MakeClient) -> None:
    desk = client()
    page = desk.get("/api").text
    description = desk.get("/api/openapi.json").json()
    for path in description["paths"]:
        assert f"{path}</code>" in page
    for field in description["components"]["schemas"]["Assessment"]["properties"]:
        assert f"<code>{field}</code>" in page
    # Every link within the page leads somewhere.
    for target in re.findall(r'href="#([\w-]+)"', page):
        assert f'id="{target}"' in page


@pytest.mark.parametrize("path", ["/api/nowhere", "/api/assess/", "/api/assess"])
def test_a_wrong_address_is_told_in_json(client: MakeClient, path: str) -> None:
    answer = client().get(path)
    assert answer.status_code in (404, 405)
    assert answer.json()["error"]
