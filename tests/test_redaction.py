"""Secrets: what is masked, what stays readable, and that no way out shows what a file holds."""

from __future__ import annotations

import json
import re
import string
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.call_count import calls
from torchlock import redaction
from torchlock.audit import Auditor
from torchlock.cli.main import main
from torchlock.finding import Report
from torchlock.redaction import learn, lines_of, masked
from torchlock.redaction.encoded_data import around_data
from torchlock.report.audit_json import audit_json
from torchlock.report.audit_text import text as audit_text
from torchlock.report.github import github
from torchlock.report.sarif import sarif
from torchlock.runtime.fence import breakage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    pass

TOKEN = "gl-TOKEN123456"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What is masked.


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("plain", id="ordinary"),
        pytest.param("pa/ss", id="a slash"),
        pytest.param("pa@ss", id="an at"),
        pytest.param("pa@ss/word", id="an at and a slash"),
        pytest.param("pa:ss", id="a colon"),
        pytest.param("pa ss", id="a space"),
        pytest.param("pa@ss word", id="an at and a space"),
        pytest.param("pa#ss", id="a hash"),
        pytest.param("pa?ss=x", id="a question mark"),
        pytest.param("pa'ss\"wd", id="quotes"),
        pytest.param("pa%2Fss", id="an escape"),
        pytest.param("12/3 4", id="like a port"),
        pytest.param("", id="none"),
        pytest.param("pa\\ss", id="a backslash"),
        pytest.param("pa;ss,wd", id="separators"),
        pytest.param("äöü", id="not ASCII"),
    ],
)
def test_a_password_may_hold_anything(password: str) -> None:
    for address in (
        f"https://ci:{password}@git.example.org/simple",
        f"git+ssh://ci:{password}@git.example.org/a.git",
    ):
        scheme = address.partition("://")[0]
        shown = masked(f"torch @ {address} x")
        assert shown.startswith(f"torch @ {scheme}://***@git.example.org/"), shown
        assert shown.endswith(" x")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://TOKEN@host/simple", "https://***@host/simple"),
        ("https://ci%3APASS%40git.example.org/x", "https://***%40git.example.org/x"),
        ("url=https%3A%2F%2Fci%3APASS%40git.example.org", "url=https%3A%2F%2F***%40git.example.org"),
        ("https://h.example.org/x?subscription-key=K&x=1", "https://h.example.org/x?subscription-key=***&x=1"),
        ("https://h.example.org/x?authkey=K&sas=S", "https://h.example.org/x?authkey=***&sas=***"),
        ("https://h.example.org/x?private_token = K", "https://h.example.org/x?private_token = ***"),
        ("https://h.example.org/x?private_token:K", "https://h.example.org/x?private_token:***"),
        ("https://TO/KEN@host.example.org/x", "https://***@host.example.org/x"),
        ("https://ci:pa/ss@host/simple", "https://***@host/simple"),
        ("https://ci:gl-TOK", "https://***"),
        ("git+https://u:p@example.org/a.git@v1.0#egg=a", "git+https://***@example.org/a.git@v1.0#egg=a"),
        ("https://example.org/x?private_token=abc d", "https://example.org/x?private_token=*** d"),
        ("https://example.org/x?a=1&access_token=abc#sha256=00ff", "https://example.org/x?a=1&access_token=***#sha256=00ff"),
        ("https://example.org/x.whl?sv=2022-11-02&sp=r&sig=a%2Bb%3D", "https://example.org/x.whl?sv=***&sp=r&sig=***"),
        ("https://example.org/x?X-Amz-Signature=ab&X-Amz-Credential=AK/1", "https://example.org/x?X-Amz-Signature=***&X-Amz-Credential=***"),
        ("https://example.org/x?t=AbC123dEf456GhI789", "https://example.org/x?t=***"),
        ("https://example.org/x#token=abc", "https://example.org/x#token=***"),
        ("https://conda.example.org/t/ab-1234567/channel", "https://conda.example.org/t/***/channel"),
        ("https://dl.cloudsmith.io/AbCd1234/org/repo", "https://dl.cloudsmith.io/***/org/repo"),
        ("deploy:pa55w@host.example.org:path", "***@host.example.org:path"),
        ('curl -H "Authorization: Bearer abc" x', 'curl -H "Authorization: ***" x'),
        ("curl -H 'PRIVATE-TOKEN: xyz' x", "curl -H 'PRIVATE-TOKEN: ***' x"),
        ("curl -u me:secret https://example.org", "curl -u *** https://example.org"),
        ('curl --user "me:pass word" x', 'curl --user "***" x'),
        ("docker login -u me -p s3cret example.org", "docker login -u me -p *** example.org"),
        ("twine upload -u me -p s3cret dist/x", "twine upload -u me -p *** dist/x"),
        ("ENV HF_TOKEN=abc", "ENV HF_TOKEN=***"),
        ("ENV HF_TOKEN abc", "ENV HF_TOKEN ***"),
        ("ARG GITHUB_TOKEN=abc", "ARG GITHUB_TOKEN=***"),
        ("  TWINE_PASSWORD: abc def", "  TWINE_PASSWORD: ***"),
        ("AWS_SECRET_ACCESS_KEY=ab/c+d x", "AWS_SECRET_ACCESS_KEY=*** x"),
        ("export UV_INDEX_PRIVATE_PASSWORD='a b' x", "export UV_INDEX_PRIVATE_PASSWORD='***' x"),
        ('os.environ["HF_TOKEN"] = "abc"', 'os.environ["HF_TOKEN"] = "***"'),
        ('{"authToken": "abc", "name": "x"}', '{"authToken": "***", "name": "x"}'),
        ("tool --api-key abc --verbose", "tool --api-key *** --verbose"),
        ("machine example.org login me password s e", "machine example.org login *** password ***"),
        ("poetry config http-basic.mine user pass word", "poetry config http-basic.mine ***"),
        ("echo ghp_abcdefghijklmnop1234 done", "echo *** done"),
        ("hf_abcdefgh1234 glpat-abcdefgh12 AKIAIOSFODNN7EXAMPLE xoxb-1234567890", "*** *** *** ***"),
        ("eyJhbGciOi.eyJzdWIi.c2ln x", "*** x"),
        ("--index-url https://ci:TOK\\\n  EN@example.org/x", "--index-url https://***\n***@example.org/x"),
        ("--index-url https://ci:TO\nKEN@example.org/x", "--index-url https://***\n***@example.org/x"),
        ("https:/u:TOKEN@host.example.org/x", "https:/***@host.example.org/x"),
        ("https//u:TOKEN@host.example.org/x", "https//***@host.example.org/x"),
        ("//u:TOKEN@host.example.org/x", "//***@host.example.org/x"),
        ("https:\\\\u:TOKEN@host.example.org\\x", "https:\\\\***@host.example.org\\x"),
        ("https://ci:1TOKEN", "https://***"),
        ("https://example.org/token/AbCd1234/simple", "https://example.org/token/***/simple"),
        ("https://conda.example.org/t/ab-1234567", "https://conda.example.org/t/***"),
        ("https://example.org/x;jsessionid=abc?y=1", "https://example.org/x;jsessionid=***"),
        ("https://example.org/x?user=me&pw=abc", "https://example.org/x?user=***&pw=***"),
        (r'"os.environ[\"HF_TOKEN\"] = \"a b\"\n",', r'"os.environ[\"HF_TOKEN\"] = \"***\"\n",'),
        (r'{\"password\": \"abc\", \"x\": 1}', r'{\"password\": \"***\", \"x\": 1}'),
        ("HF_TOKEN ?= abc", "HF_TOKEN ?= ***"),
        ("TOKEN='a'\"b\" pip", "TOKEN=*** pip"),
        ("TOKEN=\\\nabc pip", "TOKEN=***\n*** pip"),
        ("MYPASS=abc x", "MYPASS=*** x"),
        ("set -gx HF_TOKEN abc", "set -gx HF_TOKEN ***"),
        ("npm config set //r.example.org/:_authToken abc", "npm config set //r.example.org/:_authToken ***"),
        ("aws configure set aws_secret_access_key abc", "aws configure set aws_secret_access_key ***"),
        ("conda config --set my_token abc", "conda config --set my_token ***"),
        ("wandb login --relogin abcdef1234 && x", "wandb login --relogin *** && x"),
        ("curl -u abcdefgh1234: https://example.org", "curl -u *** https://example.org"),
        ("sshpass -p abc ssh me@host", "sshpass -p *** ssh me@host"),
        ("uv publish -t abc dist/x", "uv publish -t *** dist/x"),
        ("echo abc | docker login --password-stdin", "echo ***| docker login --password-stdin"),
        ("gh auth login --with-token <<< abc", "gh auth login --with-token *** ***"),
        ("X-JFrog-Art-Api:abc", "X-JFrog-Art-Api:***"),
        ("wandb.login(key='abcdef')", "wandb.login(key='***')"),
        ("os.environ.setdefault('HF_TOKEN', 'abc')", "os.environ.setdefault('HF_TOKEN', '***')"),
        ('requests.get(url, auth=("me", "abc"))', 'requests.get(url, auth=("me", "***"))'),
        ("nvapi-abcdefgh1234567 r8_abcdefgh12345678 gsk_abcdefgh12345678", "*** *** ***"),
        ("[![a](https://example.org/b.svg?token=AbC1)](https://example.org/a)", "[![a](https://example.org/b.svg?token=***)](https://example.org/a)"),
        ("https://example.org/x?token=ab(c)d", "https://example.org/x?token=***"),
        ("TOKEN=~abc", "TOKEN=***"),
        ("-----BEGIN RSA PRIVATE KEY-----MIIE", "-----BEGIN RSA PRIVATE KEY-----***"),
    ],
)  # fmt: skip
def test_masks(written: str, shown: str) -> None:
    assert masked(written) == shown
    assert masked(shown) == shown, "twice is as good as once"


@pytest.mark.parametrize(
    "line",
    [
        "torch @ https://download.pytorch.org/whl/cu118/torch-2.0.0%2Bcu118-cp310-cp310-linux_x86_64.whl#sha256=00ff",
        "git+ssh://git@github.com/a/b.git@v1.0#subdirectory=c",
        "git+https://github.com/a/b.git@feature/x",
        "git+https://gitlab/group/repo.git@main",
        "      - uses: actions/checkout@v4",
        "@pytest.mark.parametrize('x', [1])",
        '["https://a.example.org", "me@example.org"]',
        "https://download.pytorch.org/whl/cu118  # ask bob@example.org",
        "http://devpi:3141/root/pypi/+simple/",
        "http://[::1]:8080/simple http://localhost:8080/x http://10.0.0.1:80/y",
        "file:///home/me@corp/x.whl",
        "uses: docker://python:3.11-slim",
        "https://host:${PORT}/simple",
        "pip install --user torch==2.0.1",
        "docker run -u 1000:1000 -p 8080:80 image",
        'google-auth = "^2.28"',
        'google-auth = ">=1.6.3,<3"',
        "google-auth==2.3 ; python_version < '3.9'",
        "  - python-jwt=4.0=py_0",
        "permissions: {id-token: write}",
        "  key: ${{ runner.os }}-pip-${{ hashFiles('x') }}",
        "  TWINE_PASSWORD: ${{ secrets.PYPI }}",
        "max_tokens = 512",
        "tokenizers==0.15.0 hf_transfer hf-xet sentencepiece",
        "--hash=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "/etc/passwd:12: this line cannot be read",
        "put them into the address: https://user:password@host/…",
        "task-runner-with-a-long-name-1234567890",
        "scripts/hf_text2image.py.lock hf_whisper2",
        "torch==2.7.1  # https://discuss.pytorch.org/t/torchaudio-does-not-load/12345/6",
        'install_requires=["google-auth", "pyjwt", "torch==2.7.1"]',
        "pip install -U torch torchaudio && echo done | tee log",
        "error: requirements-auth.txt: there is no such file",
        "note: google-auth: no release fits",
        "google-auth: 2.3 needs python",
        'if [[ "$(pwd)" =~ " " ]]; then echo This script cannot be installed silently; fi',
        'if [ "$(pwd)" = "/" ] || [ "`pwd`" = "/home" ]; then echo "not here"; fi',
        "if [[ $TOKEN =~ ^abc ]]; then exit; fi",
        "docker build -t image:1 . && docker run -a stdin image",
    ],
)
def test_ordinary_lines_stay(line: str) -> None:
    assert masked(line) == line


def test_what_was_learned_is_hidden_where_nothing_else_shows_it() -> None:
    redaction.learn(f"--index-url https://ci:{TOKEN}@example.org/ and https://ci:gl TOKEN456@example.org/")
    assert masked(f"no option: {TOKEN!r} 'TOKEN456'") == "no option: '***' '***'"
    assert masked(json.dumps({"x": TOKEN})) == '{"x": "***"}'
    redaction.forget()
    assert masked("TOKEN456") == "TOKEN456"


def test_a_password_that_is_a_word_of_ours_leaves_messages_readable() -> None:
    line = "ENV POSTGRES_PASSWORD=torch"
    redaction.learn(line)
    assert masked(line) == "ENV POSTGRES_PASSWORD=***"
    assert masked("torchaudio 2.5.1 works with torch 2.5.1") == "torchaudio 2.5.1 works with torch 2.5.1"


def test_a_piece_of_a_secret_that_an_equals_sign_cuts_is_hidden() -> None:
    redaction.learn(f"curl --cookie 'session={TOKEN}'")
    assert masked(f"expected the end, at '={TOKEN}'") == "expected the end, at '=***'"


def test_a_short_password_is_hidden_as_a_word_only() -> None:
    redaction.learn("https://me:pass@example.org/")
    assert masked("pass passive bypass (pass)") == "*** passive bypass (***)"


def test_lines_are_those_of_the_text() -> None:
    lines = lines_of(f"a\r\nhttps://u:{TOKEN}@b.org\rc\n")
    assert [line.masked for line in lines] == ["a", "https://***@b.org", "c", ""]
    assert lines[1].cut(12, 30) == "***@b.org"


@pytest.mark.parametrize(
    "piece",
    [
        "@a.b ",
        "https://a:b ",
        "https://a:b\n",
        "token: {",
        "password ",
        "sk-sk-",
        "eyJ-",
        "?a=1",
        "@ \\\n",
        "a:b=",
        "token='",
    ],
)
def test_work_grows_with_the_text(piece: str) -> None:
    few, many = (calls(lambda count=count: masked(piece * count)) for count in (200, 800))
    assert many < 6 * few


# Every way out.

SAMPLES = {
    "requirements.txt": "--extra-index-url {address}\ntorch==2.7.1\ntorchaudio==2.5.1 {address}\n"
    "foo bar {address}\n",
    "Dockerfile": "FROM python:3.11\nRUN pip install torch==2.7.1 --extra-index-url {address} torchaudio==2.5.1\n",
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n'
    'dependencies = ["mylib @ {address}", "torch==2.7.1", "torchaudio==2.5.1", "foo bar {address}"]\n',
    "environment.yml": "dependencies:\n- python=3.11\n- pip:\n  - --index-url {address}\n  - torch==2.7.1\n"
    "  - torchaudio==2.5.1\n  - foo bar {address}\n",
    "setup.cfg": "[options]\ninstall_requires =\n  mylib @ {address}\n  torch==2.7.1\n  torchaudio==2.5.1\n",
    "install.sh": "pip install torch==2.7.1 -i {address} torchaudio==2.5.1\n",
    "Pipfile": '[[source]]\nurl = "{address}"\n[packages]\ntorch = "==2.7.1"\ntorchaudio = "==2.5.1"\n',
    "tox.ini": "[testenv]\ndeps =\n  torch==2.7.1\n  torchaudio==2.5.1\n  foo bar {address}\n",
    "ci.ipynb": '{{"cells": [{{"cell_type": "code", "source": '
    '["!pip install torch==2.7.1 torchaudio==2.5.1 -i {address}"]}}]}}',
    ".github/workflows/ci.yml": "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
    "    - run: pip install torch==2.7.1 torchaudio==2.5.1 -i {address}\n",
}  # fmt: skip


auditor = cache(Auditor)


def reports(name: str, content: str) -> str:
    """All four reports on a file, one behind the other."""
    redaction.forget()
    file = auditor().report(name, content.encode())
    report = Report([file], "2026-01-01")
    plain = audit_text(report, lambda style, words: words, verbose=True)
    return "\n".join([plain, audit_json(report), sarif(report), github(report)])


def assert_hidden(token: str, shown: str) -> None:
    for form in {token, json.dumps(token)[1:-1], repr(token)[1:-1], token.replace("%", "%25")}:
        assert form not in shown


DATA = "iVBORw0KGgoAAAANSUhEUg" + "passwordABCDkey123/sig+token" * 100


@pytest.mark.parametrize(
    "line",
    [
        f'   "image/png": "{DATA}==\\n",',
        f'   "image/png": ["{DATA}"],',
        f'      "<audio src=\\"data:audio/wav;base64,{DATA}\\" controls/>"',
    ],
)
def test_pictures_and_sounds_are_passed_over(line: str) -> None:
    secret = "hf_abcdefghijklmnopqrstuvwxyzabcdefgh"
    whole = f"token={secret} {line} https://me:s3cret-word@example.org/"
    assert masked(line) == line
    assert masked(whole) == whole.replace(secret, "***").replace("me:s3cret-word", "***")
    parts = list(around_data(whole, 0, len(whole)))
    assert sum(end - start for start, end in parts) < 200


def test_short_data_is_searched() -> None:
    line = "src=data:audio/wav;base64,UklGR, token=abcdefgh12345678abcd"
    assert list(around_data(line, 0, len(line))) == [(0, len(line))]
    assert "abcdefgh12345678abcd" not in masked(line)


@pytest.mark.parametrize("offset", [*range(0, 60, 9), *range(60, 240, 30)])
def test_a_long_line_is_masked_before_it_is_cut(offset: int) -> None:
    address = f"https://ci-user:{TOKEN}@registry.example.org/api/v4/simple"
    line = f"RUN pip install torch==2.7.1 {'x' * offset} --extra-index-url {address} torchaudio==2.5.1 {'y ' * 60}"
    shown = reports("Dockerfile", f"FROM python:3.11\n{line}\n")
    assert "TL101" in shown
    for start in range(len(TOKEN) - 5):
        assert TOKEN[start : start + 6] not in shown


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.text(string.ascii_letters + string.digits + string.punctuation + " ", min_size=8, max_size=20))
def test_no_report_shows_a_token(name: str, token: str) -> None:
    token = f"q{token.strip()}Z"
    content = SAMPLES[name].format(address=f"https://ci:{token}@git.example.org/simple")
    assert_hidden(token, reports(name, content))


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(
    "key", ["private_token", "access_token", "key", "api_key", "password", "sig", "auth", "jwt"]
)
def test_no_report_shows_what_a_query_holds(name: str, key: str) -> None:
    content = SAMPLES[name].format(address=f"https://git.example.org/simple?{key}={TOKEN}")
    assert_hidden(TOKEN, reports(name, content))


def test_the_caret_stands_under_the_word(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "Dockerfile").write_text(SAMPLES["Dockerfile"].format(address=f"https://u:{TOKEN}@b.org/"))
    assert main(["audit", "Dockerfile"]) == 1
    lines = capsys.readouterr().out.splitlines()
    number = next(number for number, line in enumerate(lines) if "^" in line)
    column = lines[number].index("^")
    assert lines[number - 1][column:].startswith("torchaudio==2.5.1")


def test_changes_of_masked_lines_say_so() -> None:
    content = SAMPLES["pyproject.toml"].format(address=f"https://u:{TOKEN}@b.org/x.whl")
    redaction.forget()
    report = Report([auditor().report("pyproject.toml", content.encode())], "2026-01-01")
    findings = json.loads(audit_json(report))["files"][0]["findings"]
    changes = [change for finding in findings if finding["remedy"] for change in finding["remedy"]["changes"]]
    assert changes
    assert all(change.get("masked") and TOKEN not in change["new"] for change in changes)
    run = json.loads(sarif(report))["runs"][0]
    texts = [
        replacement["insertedContent"]["text"]
        for result in run["results"]
        for fix in result.get("fixes", [])
        for change in fix["artifactChanges"]
        for replacement in change["replacements"]
    ]
    assert texts, "an edit of a version is safe to apply"
    assert not any("*" in text for text in texts)


def test_a_fix_keeps_the_bytes_and_a_diff_says_what_it_hides(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    content = SAMPLES["Dockerfile"].format(address=f"https://u:{TOKEN}@b.org/")
    (folder / "Dockerfile").write_text(content)
    main(["audit", "--diff", "Dockerfile"])
    told = capsys.readouterr()
    assert TOKEN not in told.out + told.err
    assert "this diff masks secrets" in told.err
    main(["audit", "--fix", "Dockerfile"])
    told = capsys.readouterr()
    assert TOKEN not in told.out + told.err
    assert (folder / "Dockerfile").read_text() == content.replace("torchaudio==2.5.1", "torchaudio==2.7.1")


@pytest.mark.parametrize(
    "arguments",
    [
        ["lock", f"https://u:{TOKEN}@b.org/x", "--json"],
        ["lock", "torch", "--index-url", f"https://u:{TOKEN}@b.org/x", "--offline"],
        ["lock", "torch", "--index-url", f"https://u:a/{TOKEN}@b.org/x", "--offline"],
        ["lock", "torch", "--index-url", f"ftp://u:{TOKEN}@b.org/x"],
        ["lock", "-r", f"https://u:{TOKEN}@b.org/x"],
        ["lock", "-r", "requirements.txt", "--offline"],
        ["lock", "-r", "strays.txt", "--offline"],
        ["lock", "torch==2.7.1", "torchaudio==2.5.1", "--offline", "--json"],
        ["lock", "-r", "good.txt", "--offline", "--json", "--platform", "linux-x86_64", "--python", "3.11"],
        ["explain", "torch==2.7.1", "--index-url", f"https://u:{TOKEN}@b.org/x", "--offline"],
        ["explain", f"x @ https://u:{TOKEN}@b.org/x y", "--offline"],
        ["audit", f"https://u:{TOKEN}@b.org/x"],
        ["audit", "."],
        ["audit", f"--password={TOKEN}"],
        ["check", "--python", f"https://u:{TOKEN}@b.org/x"],
        ["check", "--path", f"https://u:{TOKEN}@b.org/x"],
        ["check", "--log", f"https://u:{TOKEN}@b.org/x"],
        [f"https://u:{TOKEN}@b.org/x"],
    ],
    ids=" ".join,
)
def test_no_command_shows_a_token(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("TORCHLOCK_INDEX_URL_OF_MINE", f"https://u:{TOKEN}@b.org/")
    address = f"https://u:{TOKEN}@b.org/"
    (folder / "requirements.txt").write_text(f"torch==2.7.1\nfoo bar {address}\n")
    (folder / "strays.txt").write_text(f"--extra-index-url {address} {TOKEN}\ntorch==2.7.1 {address}\n")
    (folder / "good.txt").write_text(f"--extra-index-url {address}\ntorch==2.7.1\n")
    main([*arguments, "-v"])
    told = capsys.readouterr()
    assert TOKEN not in told.out + told.err


def test_a_crash_report_shows_no_token(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ValueError(f"bad {{'url': b'x', 'user': {TOKEN!r}}}")

    monkeypatch.setattr("torchlock.audit.Auditor.judge", crash)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    (folder / "requirements.txt").write_text(f"--extra-index-url https://u:{TOKEN}@b.org/\n")
    assert main(["audit", "requirements.txt"]) == 3
    told = capsys.readouterr()
    report = re.search(r"(/\S+\.log)", told.out + told.err)
    assert report is not None
    assert TOKEN not in told.out + told.err + Path(report[1]).read_text()


def test_a_secret_at_the_end_of_a_cut_message_is_masked() -> None:
    learn(f"https://u:{TOKEN}@b.org/")
    for length in range(270, 300):
        try:
            raise ValueError(f"{'x' * length} {TOKEN}")
        except ValueError as error:
            assert TOKEN[:6] not in breakage(error).trace


# Files outside of the project.

SECRET = "root-line hunter2 0:0"
NAMING = {
    "requirements.txt": "-r {path}\ntorch==2.7.1\n",
    "constraints.txt": "-c {path}\ntorch==2.7.1\n",
    "setup.cfg": "[metadata]\nname = x\n[options]\ninstall_requires = file: {path}\n",
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndynamic = ["dependencies"]\n'
    '[tool.setuptools.dynamic]\ndependencies = {{file = ["{path}"]}}\n',
    "Dockerfile": "FROM python:3.11\nRUN pip install -r {path}\n",
    "environment.yml": "dependencies:\n- pip:\n  - -r {path}\n",
    "tox.ini": "[testenv]\ndeps = -r{path}\n",
    "install.sh": "pip install -r {path}\n",
}


@pytest.mark.parametrize("name", NAMING)
@pytest.mark.parametrize("way", ["absolute", "upward", "link"])
def test_a_file_outside_of_the_project_is_not_quoted(
    capsys: pytest.CaptureFixture[str], folder: Path, name: str, way: str
) -> None:
    project = folder / "project"
    (project / ".git").mkdir(parents=True)
    outside = folder / "outside.txt"
    outside.write_text(f"numpy\n{SECRET}\n{SECRET}\n")
    (project / "link.txt").symlink_to(outside)
    path = {"absolute": str(outside), "upward": "../outside.txt", "link": "link.txt"}[way]
    (project / name).write_text(NAMING[name].format(path=path))
    for format_ in ("text", "json", "sarif", "github", "gitlab", "junit", "markdown"):
        main(["audit", str(project / name), "--format", format_, "-v"])
    if name in ("requirements.txt", "setup.cfg", "pyproject.toml"):
        assert main(["lock", "-r", str(project / name), "--offline"]) == 2
    told = capsys.readouterr()
    assert "hunter2" not in told.out + told.err
    assert "root-line" not in told.out + told.err
    assert f"{Path(path).name}:2: this line" in told.out + told.err
    assert f"{Path(path).name}:3" not in told.out + told.err


def test_a_link_out_of_the_project_is_not_quoted(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    project = folder / "project"
    (project / ".git").mkdir(parents=True)
    content = f"{SECRET}\ntorch==2.7.1\ntorchaudio==2.5.1\n"
    (folder / "outside.txt").write_text(content)
    (project / "requirements.txt").symlink_to(folder / "outside.txt")
    for options in (["-v"], ["--format", "json"], ["--format", "sarif"], ["--diff"], ["--fix"]):
        # What would have to be changed was not: an error.
        assert main(["audit", str(project), *options]) == (2 if options[0] in ("--diff", "--fix") else 1)
    told = capsys.readouterr()
    assert "TL101" in told.out
    assert "hunter2" not in told.out + told.err
    assert (folder / "outside.txt").read_text() == content


def test_a_file_beside_it_in_the_project_is_quoted(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / "requirements").mkdir()
    (folder / "base.txt").write_text("foo bar\n")
    (folder / "requirements" / "dev.txt").write_text("-r ../base.txt\n")
    main(["audit", "requirements/dev.txt"])
    assert "'foo bar'" in capsys.readouterr().out


# No false alarm.


def test_the_files_of_this_repository_stay_readable() -> None:
    root = Path(__file__).parents[1]
    files = [
        *root.glob("*.md"),
        *root.glob("docs/**/*.md"),
        *root.glob("tests/scenarios/**/*"),
        root / "pyproject.toml",
    ]
    files += root.glob("tests/hooks/**/*")
    changed = [
        f"{path.name}: {line.text}"
        for path in files
        if path.is_file()
        for line in lines_of(path.read_text(encoding="utf-8", errors="replace"))
        if line.secrets
    ]
    assert changed == []


def test_no_source_is_taken_for_a_secret() -> None:
    """A report shows the address of each source as it is."""
    sources = tomllib.loads((Path(__file__).parents[1] / "compat_data/sources.toml").read_text(encoding="utf-8"))
    assert [row["address"] for row in sources.values() if masked(row["address"]) != row["address"]] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("in /Users/t/wake-word-trainer/.venv/lib", "in /Users/t/wake-word-trainer/.venv/lib"),
        ("/tmp/x/home/t/speech-trainer2/.venv", "/tmp/x/home/t/speech-trainer2/.venv"),
        ("C:/Users/t/wake-word/.venv", "C:/Users/t/wake-word/.venv"),
        ("--path root/Users/t/wake-word/.venv", "--path root/Users/t/wake-word/.venv"),
        ("/home/u/pkgs/https/conda.example.org/t/tk-abc-123-xyz/main", None),
        ("/home/u/conf:https://conda.example.org/t/tk-abc-123-xyz/main", None),
        ("GET /conda/t/tk-abc-123-xyz/main", None),
    ],
)
def test_a_folder_that_is_called_t_is_no_token(text: str, shown: str | None) -> None:
    assert masked(text) == (shown or text.replace("tk-abc-123-xyz", "***"))
