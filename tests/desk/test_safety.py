"""What may reach the desk, what it answers, and what it never repeats."""

from __future__ import annotations

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trustme
from conftest import Run, children_of

from desk.conftest import BICYCLE, ORIGIN, STALKED, MakeClient, Running, Start
from stalkflag import Assessor
from stalkflag.desk.guard import MOST_BYTES, Rate

TOKENS = {"registrar": "a" * 40, "clerk": "b" * 40}


def test_every_answer_keeps_out_of_caches_frames_and_other_sites(client: MakeClient) -> None:
    desk = client(decisions=True)
    for answer in (
        *(desk.get(path) for path in ("/", "/api", "/static/desk.js", "/api/health", "/nowhere")),
        desk.check(STALKED),
        desk.api("assess", {"text": STALKED}),
        desk.api("assess", {"nonsense": 1}),
        desk.ask("GET", "/", headers={"Host": "evil.example"}),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and "http" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = desk.get("/").text
    assert "style=" not in page and "onclick" not in page and "<script>" not in page
    cookie = client().get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    secure = client(secure=True).get("/")
    assert "; Secure" in secure.headers["set-cookie"]
    assert "strict-transport-security" in secure.headers


@pytest.mark.parametrize("host", ["evil.example", "desk.test", "desk.test:1", ""])
def test_another_host_name_is_refused(client: MakeClient, host: str) -> None:
    for path in ("/", "/api/health"):
        answer = client().ask("GET", path, headers={"Host": host})
        assert answer.status_code == 421
        assert ORIGIN in answer.text


@pytest.mark.parametrize("path", ["/check", "/decide", "/login", "/api/assess"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://desk.test:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_another_site_sends_is_refused(
    client: MakeClient, path: str, headers: dict[str, str]
) -> None:
    answer = client(decisions=True).ask("POST", path, json={"text": STALKED}, headers=headers)
    assert answer.status_code == 403
    assert "suggestion" not in answer.text


def test_a_page_without_an_origin_is_refused_but_a_program_is_not(client: MakeClient) -> None:
    assert client().ask("POST", "/check", files={"text": (None, "x")}).status_code == 403
    assert client().api("assess", {"text": "x"}).status_code == 200


def test_json_is_taken_only_as_json(client: MakeClient) -> None:
    answer = client().ask(
        "POST",
        "/api/assess",
        content=json.dumps({"text": STALKED}),
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code == 422
    assert "sitting outside" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"text": STALKED, "unknown": STALKED},
        {"text": [STALKED]},
        {"text": "", STALKED: 1},
        {"texts": STALKED},
        {"text": STALKED * 2000},
        {"text": STALKED, "id": STALKED * 10},
        [STALKED],
    ],
)
def test_a_wrong_request_is_told_where_and_not_what(client: MakeClient, body: object) -> None:
    answer = client().api("assess", body)
    assert answer.status_code == 422
    assert answer.json()["details"][0]["where"].startswith("body")
    assert "sitting outside" not in answer.text


def test_json_that_cannot_be_read_is_not_repeated(client: MakeClient) -> None:
    for content in (f'{{"text": "{STALKED}', "[" * 200_000, b"\xff\xfe" + STALKED.encode()):
        answer = client().ask(
            "POST", "/api/assess", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422)
        assert "sitting outside" not in answer.text


def test_a_program_is_told_of_too_much_text(client: MakeClient) -> None:
    answer = client().api("assess", {"text": "x" * MOST_BYTES})
    assert answer.status_code == 413
    assert "the desk takes up to 4 MB" in answer.json()["error"]


def test_too_many_requests_are_told_to_wait(client: MakeClient) -> None:
    desk = client(rate_limit=60)
    answers = [desk.get("/api/health") for _ in range(25)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "error" in answers[-1].json()


def test_the_rate_of_one_caller_is_not_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    rate = Rate(60)
    waits = [rate.take("one") for _ in range(21)]
    assert waits[:20] == [0.0] * 20 and waits[20] > 0
    assert rate.take("two") == 0
    now += 1.5
    assert rate.take("one") == 0
    for number in range(Rate.MOST_CALLERS + 50):
        rate.take(str(number))
    assert len(rate._buckets) <= Rate.MOST_CALLERS


def test_without_a_token_nothing_is_served(client: MakeClient) -> None:
    desk = client(tokens=TOKENS)
    assert desk.get("/").headers["location"] == "/login"
    assert desk.get("/api").headers["location"] == "/login"
    for headers in ({}, {"Authorization": "Bearer " + "c" * 40}, {"Authorization": "Basic eA=="}):
        assert desk.api("assess", {"text": STALKED}, headers=headers).status_code == 401
    answer = desk.form("/check", {"text": STALKED})
    assert answer.status_code == 401
    assert "You are signed out" in answer.text
    assert "sitting outside" not in answer.text
    for path in ("/login", "/api/health", "/static/desk.css"):
        assert desk.get(path).status_code == 200


def test_a_person_signs_in_works_and_signs_out(client: MakeClient, tmp_path: Path) -> None:
    desk = client(tokens=TOKENS, decisions=True)
    wrong = desk.form("/login", {"token": "c" * 40})
    assert wrong.status_code == 401
    assert "not a token of this desk" in wrong.text
    assert desk.form("/login", {"token": TOKENS["registrar"]}).headers["location"] == "/"
    page = desk.check(STALKED)
    assert "Review as stalking" in page.text
    assert "Sign out registrar" in page.text
    desk.then(page, "/decide", choice="stalking", reason="x")
    line = json.loads((tmp_path / "decisions.jsonl").read_text(encoding="utf-8"))
    assert line["user"] == "registrar"
    # The API takes a token and no cookie, so that no page can use it in somebody's name.
    assert desk.api("assess", {"text": "x"}).status_code == 401
    bearer = {"Authorization": f"Bearer {TOKENS['clerk']}"}
    assert desk.api("assess", {"text": "x"}, headers=bearer).status_code == 200
    desk.then(page, "/logout")
    assert desk.get("/").headers["location"] == "/login"


def test_a_session_of_another_desk_is_not_let_in(client: MakeClient) -> None:
    one, two = client(tokens=TOKENS), client(tokens=TOKENS)
    one.form("/login", {"token": TOKENS["clerk"]})
    two._cookies = one._cookies
    assert one.get("/").status_code == 200
    assert two.get("/").headers["location"] == "/login"


def test_signing_in_cannot_be_tried_endlessly(client: MakeClient) -> None:
    desk = client(tokens=TOKENS)
    answers = [desk.form("/login", {"token": "c" * 40}).status_code for _ in range(25)]
    assert answers[-1] == 429


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--behind-proxy"], "--token-file"),
        (["--host", "0.0.0.0", "--token-file", "t"], "--tls-cert and --tls-key"),
        (["--host", "::", "--token-file", "t", "--behind-proxy"], "--origin"),
        (
            "--host desk.test --token-file t --behind-proxy --origin http://desk.test".split(),
            "begins with https://",
        ),
        (["--keep-text"], "--decisions"),
        (["--tls-cert", "c.pem"], "both --tls-cert and --tls-key"),
        (["--tls-cert", "c.pem", "--tls-key", "k.pem"], "not a certificate and its key"),
        (["--token-file", "nowhere"], "cannot be read"),
        (["--decisions", "x.jsonl", "--audit-log", "x.jsonl"], "two different files"),
        (["--decisions", "nowhere/x.jsonl", "--port", "0"], "there is no folder nowhere"),
        (["--origin", "desk", "--port", "0"], "is not an address like"),
        (["--model", "nowhere", "--port", "0"], "There is no model at nowhere"),
    ],
)
def test_a_desk_that_would_be_open_or_cannot_work_does_not_start(
    run: Run, tmp_path: Path, options: list[str], says: str
) -> None:
    done = run("desk", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "ready" not in done.stderr


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (f"clerk {'a' * 40}\n", 0o644, "chmod 600"),
        ("clerk short\n", 0o600, "shorter than 32 characters"),
        ("clerk\n", 0o600, "a name, a space and a token"),
        ("# nobody yet\n", 0o600, "holds no token"),
        (f"one {'a' * 40}\ntwo {'a' * 40}\n", 0o600, "stands there twice"),
    ],
)
def test_a_token_file_that_protects_nothing_is_refused(
    run: Run, tmp_path: Path, content: str, mode: int, says: str
) -> None:
    path = tmp_path / "tokens"
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    done = run("desk", "--token-file", path, "--port", "0")
    assert done.returncode == 2
    assert says in done.stderr
    assert "a" * 40 not in done.stderr


def test_a_port_in_use_is_told_with_the_remedy(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("desk", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "choose another with --port" in done.stderr


def test_a_desk_for_others_is_encrypted_and_asks_for_a_token(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tokens = tmp_path / "tokens"
    tokens.write_text(f"clerk {TOKENS['clerk']}\n", encoding="utf-8")
    tokens.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"https://localhost:{port}"
    start(
        *("--host", "0.0.0.0", "--port", str(port), "--token-file", tokens, "--origin", url),
        *("--tls-cert", tmp_path / "both.pem", "--tls-key", tmp_path / "both.pem"),
    )
    import ssl

    with httpx.Client(verify=ssl.create_default_context(cafile=tmp_path / "ca.pem")) as browser:
        assert browser.post(f"{url}/api/assess", json={"text": "x"}).status_code == 401
        bearer = {"Authorization": f"Bearer {TOKENS['clerk']}"}
        done = browser.post(f"{url}/api/assess", json={"text": STALKED}, headers=bearer)
        assert done.json()["suggestion"] == "stalking"
        assert "/login" in browser.get(f"{url}/").headers["location"]
        signed = browser.post(
            f"{url}/login",
            files={"token": (None, TOKENS["clerk"])},
            headers={"Origin": url},
        )
        assert "; Secure" in signed.headers["set-cookie"]
        assert browser.get(f"{url}/").status_code == 200
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://localhost:{port}/", timeout=5).raise_for_status()


def test_requests_at_the_same_time_do_not_mix(plain_desk: Running, assessor: Assessor) -> None:
    texts = [f"{STALKED} Reference {number}." for number in range(20)] + [
        f"{BICYCLE} Reference {number}." for number in range(20)
    ]
    expected = [assessor.assess(text, id=str(n)).to_dict() for n, text in enumerate(texts)]
    with (
        httpx.Client(base_url=plain_desk.url, timeout=60) as browser,
        ThreadPoolExecutor(20) as many,
    ):

        def ask(number: int) -> object:
            body = {"text": texts[number], "id": str(number)}
            return browser.post("/api/assess", json=body).json()

        assert list(many.map(ask, range(len(texts)))) == expected
        together = browser.post(
            "/api/assess-many",
            json={"narratives": [{"text": t, "id": str(n)} for n, t in enumerate(texts)]},
        )
    assert together.json()["assessments"] == expected


def test_no_word_of_a_narrative_is_left_behind(plain_desk: Running) -> None:
    planted = "zebrafinch quillwort"
    with httpx.Client(base_url=plain_desk.url, timeout=60) as browser:
        token = browser.get("/").text.split('name="token" value="')[1].split('"')[0]
        form = {"token": (None, token), "text": (None, f"{STALKED} {planted}")}
        headers = {"Origin": plain_desk.url}
        assert planted in browser.post("/check", files=form, headers=headers).text
        big = {"file": ("x.txt", f"{STALKED} {planted} ".encode() * 8_000)}
        assert browser.post("/check", files={**form, **big}, headers=headers).status_code == 422
        browser.post("/api/assess", json={"text": planted, "nonsense": planted})
        browser.post("/api/assess", json={"text": planted})
    assert planted not in plain_desk.printed
    open_files = Path(f"/proc/{plain_desk.process.pid}/fd")
    if open_files.is_dir():
        names = []
        for file in open_files.iterdir():
            with suppress(FileNotFoundError):  # a connection closed while the list was read
                names.append(os.readlink(file))
        assert names
        assert not [name for name in names if name.startswith("/tmp/") and "deleted" in name]
    assert sorted(p.name for p in plain_desk.folder.iterdir()) == ["printed"]


def test_a_failure_is_told_without_its_words(
    client: MakeClient, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: object, text: str, *, id: str | None = None) -> None:
        raise ValueError(f"cannot read {text}")

    monkeypatch.setattr("stalkflag.desk.workers.AssessorPool.assess", fail)
    desk = client()
    for answer in (desk.check(STALKED), desk.api("assess", {"text": STALKED})):
        assert answer.status_code == 500
        assert "sitting outside" not in answer.text
    printed = "".join(capfd.readouterr())
    assert "ValueError at" in printed
    assert "sitting outside" not in printed


def test_a_worker_that_is_killed_is_replaced_and_none_outlives_the_desk(start: Start) -> None:
    desk = start()
    workers = [
        child
        for child, command in children_of(desk.process.pid).items()
        if b"spawn_main" in command
    ]
    assert workers
    for worker in workers:
        os.kill(worker, 9)
    time.sleep(0.3)
    done = httpx.post(f"{desk.url}/api/assess", json={"text": STALKED}, timeout=60)
    assert done.json()["suggestion"] == "stalking"
    group = children_of(desk.process.pid)
    desk.process.kill()
    desk.process.wait(timeout=20)
    for _ in range(50):
        alive = [pid for pid in group if Path(f"/proc/{pid}").exists()]
        if not alive:
            break
        time.sleep(0.1)
    assert not alive
