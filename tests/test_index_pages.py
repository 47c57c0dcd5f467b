"""Both forms of the simple API, as servers really write them."""

from __future__ import annotations

import json
import re

import pytest

from torchlock.index.page_values import PageError
from torchlock.index.pages import parse_page
from torchlock.standards.index_file import File

URL = "https://example.org/simple/demo/"


def read_json(*files: object, **document: object) -> list[File]:
    whole = {"meta": {"api-version": "1.4"}, "name": "demo", "files": list(files), **document}
    return parse_page(json.dumps(whole).encode(), "application/vnd.pypi.simple.v1+json", URL)


def read_html(text: str, url: str = URL, content_type: str = "text/html") -> list[File]:
    return parse_page(text.encode(), content_type, url)


def test_an_empty_project_is_no_error():
    assert read_json() == []
    assert read_html("<html><body><h1>Links for demo</h1></body></html>") == []


@pytest.mark.parametrize(
    "filename",
    ["demo-1.0-py3.7.egg", "demo-1.0.win32.exe", "demo-1.0.tar.gz.asc", "demo-1.0-py3-none-any.whl.metadata"],
)
def test_what_is_no_wheel_and_no_sdist_is_left_out(filename):
    assert read_json({"filename": filename, "url": filename, "hashes": {}}) == []
    assert read_html(f'<a href="{filename}">{filename}</a>') == []


def test_everything_json_may_say():
    digest = "AB" * 32
    [file] = read_json(
        {
            "filename": "demo-1.0-py3-none-any.whl",
            "url": "../../files/demo-1.0-py3-none-any.whl",
            "hashes": {"sha256": digest},
            "size": 123,
            "upload-time": "2024-05-06T07:08:09.123456Z",
            "requires-python": ">=3.8",
            "yanked": "broken",
            "core-metadata": {"sha256": digest},
        }
    )
    assert file == File(
        "demo-1.0-py3-none-any.whl",
        "https://example.org/files/demo-1.0-py3-none-any.whl",
        {"sha256": digest.lower()},
        123,
        "2024-05-06T07:08:09.123456Z",
        ">=3.8",
        "broken",
        {"sha256": digest.lower()},
    )


def test_everything_html_may_say():
    [file] = read_html(
        '<a href="demo-1.0-py3-none-any.whl#sha256=' + "AA11" * 16 + '" data-requires-python="&gt;=3.8,&lt;4"'
        ' data-yanked="" data-core-metadata="sha256=' + "bb22" * 16 + '">demo</a>'
    )
    assert file == File(
        "demo-1.0-py3-none-any.whl",
        URL + "demo-1.0-py3-none-any.whl",
        {"sha256": "aa11" * 16},
        None,
        None,
        ">=3.8,<4",
        "",
        {"sha256": "bb22" * 16},
    )


@pytest.mark.parametrize(
    ("said", "hashes"),
    [
        ({}, None),
        ({"core-metadata": False}, None),
        ({"core-metadata": True}, {}),
        ({"dist-info-metadata": {"sha256": "a" * 64}}, {"sha256": "a" * 64}),
        ({"core-metadata": False, "dist-info-metadata": True}, None),
        ({"data-dist-info-metadata": True}, {}),
    ],
)
def test_which_name_of_the_metadata_key_counts(said, hashes):
    [file] = read_json({"filename": "demo-1.tar.gz", "url": "x", "hashes": {}, **said})
    assert file.metadata_hashes == hashes
    texts = {key: f"sha256={'a' * 64}" if isinstance(value, dict) else str(value) for key, value in said.items()}
    attributes = "".join(f' data-{key.removeprefix("data-")}="{text.lower()}"' for key, text in texts.items())
    [file] = read_html(f'<a href="demo-1.tar.gz"{attributes}>demo</a>')
    assert file.metadata_hashes == hashes


@pytest.mark.parametrize(
    ("said", "yanked"), [(False, None), (None, None), ("", None), (True, ""), ("bad build", "bad build")]
)
def test_yanked(said, yanked):
    [file] = read_json({"filename": "demo-1.tar.gz", "url": "x", "hashes": {}, "yanked": said})
    assert file.yanked == yanked


@pytest.mark.parametrize(
    ("said", "uploaded"),
    [
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09.1Z", "2024-05-06T07:08:09.100000Z"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09Z"),
        ("yesterday", None),
        (17, None),
        (None, None),
    ],
)
def test_upload_times_are_in_utc(said, uploaded):
    [file] = read_json({"filename": "demo-1.tar.gz", "url": "x", "hashes": {}, "upload-time": said})
    assert file.uploaded == uploaded


def test_a_broken_entry_costs_only_itself():
    good = {"filename": "demo-1.tar.gz", "url": "demo-1.tar.gz"}
    odd = {**good, "hashes": None, "size": "big", "requires-python": 3, "provenance": "/relative"}
    files = read_json(None, {}, {"filename": 1, "url": "x"}, {**good, "url": "http://[bad"}, odd, good)
    assert [file.url for file in files] == [URL + "demo-1.tar.gz"] * 2
    assert read_json(good, **{"project-status": {"status": "not invented yet"}})


@pytest.mark.parametrize(
    ("page", "href", "url"),
    [
        (URL, "demo-1.tar.gz", URL + "demo-1.tar.gz"),
        (URL, "../../f/demo-1.tar.gz", "https://example.org/f/demo-1.tar.gz"),
        (URL, "/f/demo-1.tar.gz", "https://example.org/f/demo-1.tar.gz"),
        (URL, "//files.example.org/demo-1.tar.gz", "https://files.example.org/demo-1.tar.gz"),
        (URL, "https://me:secret@example.org/demo-1.tar.gz", "https://example.org/demo-1.tar.gz"),
        (URL, "demo-1.tar.gz?sig=a&amp;b=c#egg=demo", URL + "demo-1.tar.gz?sig=a&b=c"),
        ("file:///srv/demo/", "../demo-1.tar.gz", "file:///srv/demo-1.tar.gz"),
    ],
)
def test_addresses_become_absolute(page, href, url):
    [file] = read_html(f'<a href="{href}">x</a>', page)
    assert (file.url, file.filename) == (url, "demo-1.tar.gz")


def test_the_base_of_a_page_counts():
    text = '<head><base href="/mirror/"></head><a href="demo-1%2Bcpu-py3-none-any.whl#sha256=aa">x</a>'
    [file] = read_html(text)
    assert file.url == "https://example.org/mirror/demo-1%2Bcpu-py3-none-any.whl"
    assert file.filename == "demo-1+cpu-py3-none-any.whl"


def test_a_page_from_the_network_names_no_local_files():
    assert read_html('<a href="file:///etc/demo-1.tar.gz">x</a>') == []
    with pytest.raises(PageError, match="base is not a URL"):
        read_html('<base href="file:///etc/"><a href="demo-1.tar.gz">x</a>')
    assert read_json({"filename": "demo-1.tar.gz", "url": "file:///etc/demo-1.tar.gz", "hashes": {}}) == []


def test_the_form_is_guessed_where_the_server_does_not_name_it():
    assert len(parse_page(b'<a href="demo-1.tar.gz">x</a>', "", URL)) == 1
    assert len(parse_page(b' {"files": [{"filename": "demo-1.tar.gz", "url": "x"}]}', "", URL)) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        pytest.param(b'{"files": [', "application/json", "damaged JSON", id="cut-off"),
        pytest.param(b"[" * 100_000, "application/json", "damaged JSON", id="endlessly-deep"),
        pytest.param(b"\xff\xfe\x00", "application/json", "damaged JSON", id="bytes"),
        pytest.param(b'{"error": "no"}', "application/json", "not a list of files", id="other-json"),
        pytest.param(b"[]", "application/json", "not a list of files", id="array"),
        pytest.param(b"<form action='/login'><input type=password></form>", "text/html", "login", id="login"),
        pytest.param(b"<body><script src='app.js'></script></body>", "text/html", "web page", id="web-app"),
        pytest.param(b"PK\x03\x04", "application/zip", "application/zip", id="zip"),
        pytest.param(b"<Error/>", "application/xml", "application/xml", id="xml"),
        pytest.param(
            b'{"meta": {"api-version": "2.0"}, "files": []}',
            "application/vnd.pypi.simple.v2+json",
            "version 2.0",
            id="json-of-the-future",
        ),
        pytest.param(
            b'<meta name="pypi:repository-version" content="2.1">',
            "text/html",
            "version 2.1",
            id="html-of-the-future",
        ),
    ],
)
def test_what_is_no_page_is_refused_in_words(body, content_type, words):
    with pytest.raises(PageError, match=words):
        parse_page(body, content_type, URL)


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        "7",
        '"files"',
        "{}",
        '{"files": null}',
        '{"files": {}}',
        '{"files": "x"}',
        "{",
        '{"files": [1, ',
    ],
)
def test_json_of_another_shape_is_an_error(body):
    with pytest.raises(PageError):
        parse_page(body.encode(), "application/vnd.pypi.simple.v1+json", URL)


@pytest.mark.parametrize("meta", [None, [], "1.0", {"api-version": None}, {"api-version": 1}])
def test_an_odd_statement_of_the_version_is_none(meta):
    assert read_json({"filename": "demo-1.tar.gz", "url": "x"}, meta=meta)


ODD = [None, True, 7, -1, 1.5, "", "x", [], {}, {"sha256": None}, {"sha256": ["a"]}, "\ud800"]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "key", ["hashes", "size", "upload-time", "requires-python", "yanked", "core-metadata", "dist-info-metadata"]
)
def test_a_field_of_another_shape_says_nothing(key, value):
    [file] = read_json({"filename": "demo-1.tar.gz", "url": "demo-1.tar.gz", key: value})
    assert file.size in (None, 7)
    assert file.hashes == {}
    assert file.uploaded is None


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "2024-13-01T00:00:00Z"]
)
def test_a_time_out_of_range_is_no_time(time):
    [file] = read_json({"filename": "demo-1.tar.gz", "url": "x", "upload-time": time})
    assert file.uploaded is None


@pytest.mark.parametrize(
    "url", ["https://example.org/\ud800", "file:///x%00", "https://[", "https://a:99999/x", "x\x1b[31m", "data:,x"]
)
def test_an_address_that_leads_nowhere_costs_only_its_file(url):
    assert read_json({"filename": "demo-1.tar.gz", "url": url}) == []


@pytest.mark.parametrize("filename", ["demo-1\ud800.tar.gz", "demo-1\n.tar.gz", f"demo-{'9' * 300}.tar.gz"])
def test_a_name_that_no_file_has_is_left_out(filename):
    assert read_json({"filename": filename, "url": "demo-1.tar.gz"}) == []


@pytest.mark.parametrize("digest", ["ab\n--index-url https://evil.example.org", "zz", "", "ab cd"])
def test_a_digest_that_is_none(digest):
    [file] = read_json({"filename": "demo-1.tar.gz", "url": "demo-1.tar.gz", "hashes": {"sha256": digest}})
    assert file.hashes == {}


@pytest.mark.parametrize(
    "text", ["<![x[", "<![if x>y", "<!", "<a href='", "<a href=x <a href>", "<![CDATA[", "\x00"]
)
def test_html_that_makes_no_sense_is_an_error_or_no_file(text):
    try:
        assert read_html(text) == []
    except PageError as error:
        assert str(error) in ("answered with damaged HTML", "answered with an incomplete page")


PLAIN = (
    "https://files.example.org/packages/ab/demo-1.0-py3-none-any.whl",
    "http://files.example.org/demo-1.0%2Bcpu-py3-none-any.whl#sha256=" + "a" * 64,
    "https://files.example.org/a/../b/./demo-1.0.tar.gz#sha256=" + "b" * 64,
    "https://files.example.org//demo-1.0+cpu.zip",
)


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_address_reads_the_same_by_the_short_way(url, monkeypatch):
    file = {"filename": "demo-1.0.tar.gz", "url": url}
    short = read_json(file)
    monkeypatch.setattr("torchlock.index.page_values._PLAIN", re.compile("(?!)"))
    assert len(short) == 1
    assert short == read_json(file)


def test_the_plain_addresses_of_a_long_page_are_not_taken_apart(monkeypatch):
    taken = []
    monkeypatch.setattr(
        "torchlock.index.page_values.urljoin", lambda base, address: taken.append(address) or address
    )
    names = [f"demo-1.{minor}.tar.gz" for minor in range(1000)]
    files = read_json(*({"filename": name, "url": f"https://files.example.org/p/{name}"} for name in names))
    assert [file.filename for file in files] == names
    assert taken == []


def test_the_time_of_an_upload_on_a_page_of_the_pytorch_index():
    [file] = read_html('<a href="demo-1.tar.gz" data-upload-time="2025-08-06T14:51:23+00:00">x</a>')
    assert file.uploaded == "2025-08-06T14:51:23Z"
