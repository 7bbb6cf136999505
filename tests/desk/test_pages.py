"""The desk's pages without a browser: reading, deciding, recording, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from desk.conftest import BICYCLE, ORIGIN, STALKED, MakeClient
from stalkflag import Assessor
from stalkflag.desk.guard import MOST_BYTES
from stalkflag.desk.journal import verify_chain
from stalkflag.desk.state import MOST_CHARACTERS
from stalkflag.training.records import read_records

DANGER = "My ex is outside now with a knife. He says that he will kill me."
SUGGESTED = "Suggestion, for you to decide"


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_check_shows_what_the_assessor_says(client: MakeClient, assessor: Assessor) -> None:
    page = client().check(STALKED)
    assert page.status_code == 200
    assert "Review as stalking" in page.text
    assessment = assessor.assess(STALKED)
    for question in assessment.missing:
        assert question.replace("'", "&#39;") in page.text
    marks = re.findall(r"<mark class=\"paint-\w+ ([\w ]*)\"", page.text)
    assert {name for mark in marks for name in mark.split()} == {
        name for name, indicator in assessment.indicators.items() if indicator.present
    }
    assert "it does not make it" in page.text


def test_danger_comes_before_the_suggestion(client: MakeClient) -> None:
    page = client().check(DANGER).text
    assert page.index("Force policy on danger applies now") < page.index(SUGGESTED)
    hidden = client(decide_first=True).check(DANGER).text
    assert "Force policy on danger applies now" in hidden
    assert SUGGESTED not in hidden


def test_checking_again_shows_what_changed_and_what_was_asked(client: MakeClient) -> None:
    desk = client()
    first = desk.check("My neighbour keeps shouting at me about the fence.")
    question = re.search(r'name="asked" value="([^"]+)"', first.text)
    assert question
    again = desk.then(first, "/check", text=STALKED, asked=question[1])
    assert "Since the last check" in again.text
    assert "harassment, now stalking" in again.text
    # While the page checks on its own, changes are told against the last check asked for.
    auto = desk.then(again, "/check", text=BICYCLE, auto="1")
    later = desk.then(auto, "/check", text=BICYCLE + " No CCTV.", auto="1")
    assert "stalking, now neither" in later.text


def test_several_reports_are_listed_and_opened(client: MakeClient) -> None:
    desk = client()
    page = desk.check(f"{STALKED}\n===\n{BICYCLE}")
    assert "2 reports" in page.text
    assert "1: review as stalking" in page.text
    assert "2: neither stalking nor harassment" in page.text
    whole = desk.check(f"{STALKED}\n===\n{BICYCLE}", whole="1")
    assert SUGGESTED in whole.text
    rows = f'id,mo\nr7,"{STALKED}"\nr8,{"x" * (MOST_CHARACTERS + 1)}\n1,2,3\n'.encode()
    listed = desk.form("/check", {**fields(desk.get("/"))}, file=("x.csv", rows)).text
    assert "r7: review as stalking" in listed
    assert "r8: not read" in listed
    assert "row 3: not read" in listed
    assert "1 report, 2 not read" in listed
    assert "Not read: r8, row 3. Mend them in the file and list it again." in listed
    alone = desk.form("/check", fields(desk.get("/")), file=("x.txt", STALKED.encode()))
    assert SUGGESTED in alone.text
    assert STALKED in alone.text


def fields(page: Any) -> dict[str, Any]:
    from desk.conftest import carried

    return carried(page)


def test_a_decision_is_recorded_without_the_text(client: MakeClient, tmp_path: Path) -> None:
    desk = client(decisions=True)
    page = desk.check(STALKED, reference="ref 12")
    done = desk.then(page, "/decide", choice="harassment", reason="Only about the money")
    assert "Recorded: Harassment" in done.text
    assert "the suggestion was stalking; both are kept" in done.text
    (line,) = written(tmp_path / "decisions.jsonl")
    assert line["decision"] == "harassment"
    assert line["suggestion"] == "stalking"
    assert line["agrees"] is False
    assert line["reason"] == "Only about the money"
    assert line["reference"] == "ref 12"
    assert len(line["text_hmac_sha256"]) == 64
    assert line["versions"]["rules_sha256"]
    assert "text" not in line
    assert "sitting outside" not in (tmp_path / "decisions.jsonl").read_text(encoding="utf-8")


def test_each_decision_is_kept_and_none_is_written_twice(
    client: MakeClient, tmp_path: Path
) -> None:
    desk = client(decisions=True)
    page = desk.check(STALKED)
    for _ in range(2):  # the same form sent twice, as by a double click
        done = desk.then(page, "/decide", choice="stalking", reason="Plain")
    assert "Already recorded" in done.text
    desk.then(done, "/decide", choice="need more", reason="On reflection")
    assert [line["decision"] for line in written(tmp_path / "decisions.jsonl")] == [
        "stalking",
        "need more",
    ]


def test_the_same_form_with_another_choice_is_a_further_decision(
    client: MakeClient, tmp_path: Path
) -> None:
    desk = client(decisions=True, audit=True, keep_text=True)
    page = desk.check(STALKED, purpose="Testing")
    for choice, reason, says in (
        ("stalking", "Plain", "Recorded: "),
        ("harassment", "Only money", "Recorded as a further decision: Harassment"),
        ("harassment", "Only money", "Already recorded"),
        ("harassment", "Only about money", "Recorded as a further decision: Harassment"),
        ("stalking", "Plain", "The earlier one is kept; the last one counts."),
        ("harassment", "Only about money", "Recorded as a further decision: Harassment"),
    ):
        done = desk.then(page, "/decide", choice=choice, reason=reason)
        assert done.status_code == 200
        assert says in done.text
    lines = written(tmp_path / "decisions.jsonl")
    assert [(line["decision"], line["reason"]) for line in lines] == [
        ("stalking", "Plain"),
        ("harassment", "Only money"),
        ("harassment", "Only about money"),
        ("stalking", "Plain"),
        ("harassment", "Only about money"),
    ]
    assert len({line["id"] for line in lines}) == 1
    decided = [x for x in written(tmp_path / "audit.jsonl") if x["action"] == "decide"]
    assert len(decided) == len(lines)
    learned = read_records([tmp_path / "decisions.jsonl"])
    assert [record.label for record in learned] == ["harassment"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"reason": "x"}, "Choose one"),
        ({"choice": "stalking", "reason": " "}, "Give your reason"),
        ({"choice": "guilty", "reason": "x"}, "Choose one"),
        ({"choice": "stalking", "reason": "x" * 3000}, "Keep the reason below"),
    ],
)
def test_a_decision_needs_a_choice_and_a_reason(
    client: MakeClient, tmp_path: Path, given: dict[str, str], says: str
) -> None:
    desk = client(decisions=True)
    answer = desk.then(desk.check(STALKED), "/decide", **given)
    assert answer.status_code == 422
    assert says in answer.text
    assert STALKED in answer.text
    assert written(tmp_path / "decisions.jsonl") == []


def test_a_text_changed_after_its_check_is_read_again_first(
    client: MakeClient, tmp_path: Path
) -> None:
    desk = client(decisions=True)
    changed = desk.then(desk.check(STALKED), "/decide", text=BICYCLE, choice="stalking", reason="x")
    assert "You changed the narrative after it was checked" in changed.text
    assert written(tmp_path / "decisions.jsonl") == []


def test_nothing_can_be_decided_where_nothing_is_kept(client: MakeClient) -> None:
    desk = client()
    page = desk.check(STALKED)
    assert "Record my decision" not in page.text
    assert desk.then(page, "/decide", choice="stalking", reason="x").status_code == 404


def test_the_suggestion_is_hidden_until_the_person_has_chosen(
    client: MakeClient, tmp_path: Path
) -> None:
    desk = client(decisions=True, decide_first=True)
    page = desk.check(STALKED)
    for telling in (SUGGESTED, "<mark", "Review as stalking", "Ask now", "Fixated"):
        assert telling not in page.text
    # No way round: neither another form nor a made-up seal shows it.
    for path in ("/what-would-change", "/decide", "/check"):
        sneaked = desk.then(page, path, seen="x" * 43, first="stalking", choice="stalking")
        assert SUGGESTED not in sneaked.text
    assert SUGGESTED not in desk.then(page, "/choose", choice="", reason="").text
    shown = desk.then(page, "/choose", choice="harassment", reason="Money")
    assert SUGGESTED in shown.text
    assert "Your first choice was" in shown.text
    # The seal is for this text only.
    other = desk.then(shown, "/check", text=BICYCLE)
    assert SUGGESTED not in other.text
    desk.then(shown, "/decide", choice="stalking", reason="Persuaded")
    first, final = written(tmp_path / "decisions.jsonl")
    assert (first["stage"], first["decision"]) == ("first", "harassment")
    assert (final["stage"], final["decision"]) == ("final", "stalking")
    assert final["first_choice"] == "harassment"
    listed = desk.check(f"{STALKED}\n===\n{BICYCLE}").text
    assert "review as" not in listed


def test_decisions_kept_with_their_text_can_be_learned_from(
    client: MakeClient, tmp_path: Path
) -> None:
    desk = client(decisions=True, keep_text=True)
    said = 'He said "no" – £5.\n\n😀 \u2028 Then he rang her again and again.'
    for text, choices in (
        (STALKED, ["harassment", "stalking"]),
        (BICYCLE, ["neither"]),
        (said, ["need more"]),
    ):
        page = desk.check(text)
        for choice in choices:
            page = desk.then(page, "/decide", choice=choice, reason="x")
    path = tmp_path / "decisions.jsonl"
    assert [line["text"] for line in written(path)] == [STALKED, STALKED, BICYCLE, said]
    records = read_records([path])
    assert [(r.text, r.label) for r in records] == [(STALKED, "stalking"), (BICYCLE, "neither")]
    assert len({r.group for r in records}) == 2


def test_the_audit_log_holds_who_when_why_and_versions_and_no_text(
    client: MakeClient, tmp_path: Path
) -> None:
    desk = client(decisions=True, audit=True)
    refused = desk.check(STALKED)
    assert refused.status_code == 422
    assert "Say why you check this" in refused.text
    assert SUGGESTED not in refused.text
    page = desk.check(STALKED, purpose="Call in progress")
    desk.then(page, "/decide", choice="stalking", reason="Plain to see")
    desk.check(f"{STALKED}\n===\n{BICYCLE}", purpose="Review")
    assert desk.api("assess", {"text": STALKED}).status_code == 422
    assert desk.api("assess", {"text": STALKED, "reason": "Nightly"}).status_code == 200
    path = tmp_path / "audit.jsonl"
    lines = written(path)
    assert [line["action"] for line in lines] == ["check", "decide", "list", "list", "api"]
    assert [line["reason"] for line in lines] == [
        *("Call in progress", "Call in progress", "Review", "Review", "Nightly"),
    ]
    for line in lines:
        assert line["user"] and line["at"] and line["versions"]["model_version"]
    assert lines[0]["text_hmac_sha256"] == lines[1]["text_hmac_sha256"]
    assert verify_chain(path).broken_at is None
    raw = path.read_text(encoding="utf-8")
    assert "outside" not in raw and "Plain to see" not in raw


def test_nothing_is_shown_that_cannot_be_logged(client: MakeClient, tmp_path: Path) -> None:
    desk = client(audit=True)
    page = desk.get("/")
    (tmp_path / "audit.jsonl").unlink()
    (tmp_path / "audit.jsonl").mkdir()
    answer = desk.then(page, "/check", text=STALKED, purpose="Call")
    assert answer.status_code == 503
    assert SUGGESTED not in answer.text
    assert "cannot be written" in answer.text
    assert STALKED not in answer.text


def test_answers_are_tried_only_on_a_text_whose_suggestion_was_shown(client: MakeClient) -> None:
    desk = client()
    page = desk.check("My neighbour keeps shouting at me about the fence.")
    tried = desk.then(page, "/what-would-change")
    assert "were tried" in tried.text
    sneaked = desk.then(page, "/what-would-change", checked=STALKED, text=STALKED)
    assert "were tried" not in sneaked.text


HOSTILE = (
    '<script>alert(1)</script><img src=x onerror=alert(2)> </textarea><b id="broken"> {{ 7 * 7 }} '
    "{% raw %} ${7*7} &lt; \u202e gnp.exe \u200b \x1b[31m"
)


def test_hostile_text_is_only_text(client: MakeClient) -> None:
    desk = client(decisions=True)
    page = desk.check(f"{STALKED} {HOSTILE}", reference=HOSTILE)
    again = desk.then(page, "/check", asked=HOSTILE, before='{"suggestion": "<script>"}')
    failed = desk.then(page, "/decide", choice=HOSTILE, reason=HOSTILE)
    listed = desk.check(f"{HOSTILE}\n===\n{STALKED} {HOSTILE}")
    rows = b'id,text\n"<script>alert(1)</script>",' + HOSTILE.encode() + b",x,y\n<b>,He rang\n"
    filed = desk.form("/check", fields(desk.get("/")), file=(f"{HOSTILE[:25]}.csv", rows))
    for answer in (page, again, failed, listed, filed):
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert '<b id="broken">' not in answer.text
    shown = page.text.split('id="narrative"')[1]
    assert "[U+202E]" in shown and "[U+200B]" in shown and "[U+001B]" in shown
    assert "{{ 7 * 7 }}" in shown


def test_a_text_too_long_to_be_one_narrative_is_told_so(client: MakeClient) -> None:
    page = client().check("He rang her. " * 80_000)
    assert page.status_code == 422
    assert "Split it into single reports" in page.text
    assert "He rang her. He rang her." in page.text


def test_a_request_beyond_the_limit_gets_a_page(client: MakeClient) -> None:
    page = client().check("x" * (MOST_BYTES + 1))
    assert page.status_code == 413
    assert "the desk takes up to 4 MB" in page.text
    assert "xxxx" not in page.text


@pytest.mark.parametrize("path", ["/check", "/choose", "/decide", "/what-would-change"])
def test_no_address_shows_or_takes_a_narrative_in_itself(client: MakeClient, path: str) -> None:
    desk = client(decisions=True)
    answer = desk.get(f"{path}?text=He+rang+again")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "He rang again" not in desk.get("/?text=He+rang+again").text


def test_an_outdated_form_keeps_the_text_and_shows_nothing(client: MakeClient) -> None:
    desk = client(decisions=True)
    page = desk.check(STALKED)
    for token in ("", "x" * 43):
        answer = desk.then(page, "/check", token=token)
        assert answer.status_code == 422
        assert "open too long" in answer.text
        assert STALKED in answer.text
        assert SUGGESTED not in answer.text
    # Another browser's token does not serve.
    other = fields(client(decisions=True).get("/"))["token"]
    assert "open too long" in desk.then(page, "/check", token=other).text


def test_a_form_of_another_kind_is_refused(client: MakeClient) -> None:
    for kind, body in (
        ("application/x-www-form-urlencoded", b"text=He+rang"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nnonsense"),
    ):
        answer = client().ask(
            "POST", "/check", content=body, headers={"Content-Type": kind, "Origin": ORIGIN}
        )
        assert answer.status_code in (400, 415, 422)
        assert "He rang" not in answer.text
