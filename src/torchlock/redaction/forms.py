"""The forms of secrets: in URLs, commands, headers and tables, and tokens of a known form.

Every pattern matches in only one way, and reads every character a bounded number of times.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache
from itertools import pairwise

from torchlock.patterns import pattern
from torchlock.redaction.commands import given_to_commands
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# URLs. A host in its usual form: with a dot, an IP address, or localhost.
_HOST = (
    r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.%]{2,60}\]"
    r"|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,8}\.[A-Za-z]{2,24})"
)
_END = r"(?=$|[/?#\s\\\"'`<>,;)\]}|*])"
_AUTHORITY = pattern(rf"{_HOST}(?::\d{{1,5}})?\.?{_END}")
_SINGLE = pattern(rf"[A-Za-z0-9_-]{{1,63}}{_END}")
_AT_HOST = pattern(rf"@{_HOST}(?![A-Za-z0-9_.-])")
_AT_ADDRESS = pattern(rf"@{_HOST}:|@[A-Za-z0-9_.-]{{1,200}}(?::\d{{1,5}})?/")
_SIMPLE = pattern(rf"[\w.~%!$&()*+,;=:{{}}-]+@{_HOST}(?::\d{{1,5}})?{_END}")
_VALUE_OF = r"\$\w{1,60}|\$?\{{1,2} ?[\w.]{1,60} ?\}{1,2}|%\w{1,60}%|<\w{1,60}>"
_PORT_LIKE = pattern(rf"[A-Za-z0-9_.-]+:(?:\d{{1,5}}|{_VALUE_OF}){_END}")
# The user of git, and the placeholders of our hints: not secrets.
_NOBODY = pattern(r"git@|user:password@host/", re.IGNORECASE)
_STOP = pattern(r"[\s\"'`<>]")
_SCHEME = pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,30}\Z")
_CARRIES_USERS = pattern(r"(?:https?|ftps?|ssh|sftp|git|hg|svn|bzr)(?:\+|\Z)", re.IGNORECASE)
_SCP = pattern(rf"(?<![\w./:@+-])[\w.+-]{{1,60}}:[^\s\"'@:/][^\s\"'@]{{0,200}}@{_HOST}[:/]")
# What comes before a token in a path: conda channels, and registries with tokens in the path. (A forum has
# /t/title/number.)
_PATH_TOKEN = pattern(
    r"(?:/t/|/priv/|/token/|cloudsmith\.io/(?:basic/)?|fury\.io/)(?!public/|basic/)"
    r"([\w.-]{6,200})(?![\w.-])(?!/\d{1,9}(?![\w.-]))",
    re.IGNORECASE,
)
# The path of a file, in which /t/ is a folder. The paths of an index do not begin like this.
_OF_MACHINE = pattern(
    r"(?:[A-Za-z]:[/\\]|~/|\.{1,2}/|/?(?:Users|home|root|tmp|mnt|opt|srv|var|private|Volumes|workspace)/)"
    r"(?!.{0,400}(?:://|[\w-]\.[a-z]{2,10}/(?:t|priv|token)/))"
)
# An escaped URL, as in the query of another URL.
_ESCAPED_USER = pattern(rf"(?:://|%3A%2F%2F)([^\s/\"'`<>@]{{1,300}})%40(?={_HOST})", re.IGNORECASE)
# A URL with a typing error before its user.
_ALMOST = pattern(
    rf"(?<![\w:/\\])(?:https?(?::/|//|:\\\\|/)|//)([^\s\"'@:/\\][^\s\"'@:/]{{0,200}}:[^\s\"'@]{{1,200}})@{_HOST}",
    re.IGNORECASE,
)

_SHAPES = pattern(
    r"(?<![A-Za-z0-9])(?:"
    r"gh[opsru]_[A-Za-z0-9]{10,}|github_pat_\w{10,}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[\w.-]{8,}"
    r"|hf_(?=(?:[A-Za-z]*\d){3})[A-Za-z0-9]{8,}|hf_[A-Za-z0-9]{16,}"
    r"|pypi-(?:Ag[\w-]{8,}|[\w-]{40,})"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|xox[a-z]-[\w-]{8,}|sk-(?=[A-Za-z_-]{0,100}\d)[\w-]{20,}"
    r"|npm_[A-Za-z0-9]{20,}|dckr_pat_[\w-]{10,}|AIza[\w-]{30,}|nvapi-[\w-]{12,}|(?<![+/])AKCp[A-Za-z0-9]{20,}"
    r"|(?:r8|rpa|gsk|dop_v1|lin_api|shp(?:at|ss|ca)|[sr]k_(?:live|test))_[A-Za-z0-9]{16,}"
    r"|ya29\.[\w-]{16,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|(?<![\w-])eyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?"
    r")"
)
# Names and what they are given.
_NAME = pattern(r"[A-Za-z_][\w.-]*")
_CAMEL = pattern(r"(?<=[a-z0-9])(?=[A-Z])")
_SEGMENTS = pattern(r"[_.-]+")
_SECRET_WORD = pattern(
    "token|secret|password|passwd|passphrase|passcode|pwd|pass|credentials?|auth|authorization|jwt|bearer|apikey"
    "|signature|sig|pat|cookie|accesskey|secretkey|privatekey"
)
_SECRET_ENDS = ("token", "password", "passwd", "passphrase", "secret", "apikey", "accesskey", "secretkey")
_LIKELY = pattern("token|secret|pass|pwd|cred|auth|jwt|bearer|key|sig|pat|cookie|api", re.IGNORECASE)
_KEY_OF = pattern("api|access|private|secret|account|storage|ssh|signing|encryption|master|service|deploy")
# These names are names of secrets only in a query or fragment.
_QUERY_WORD = pattern(
    r"[\w.-]{0,100}key|code|session|(?:[a-z]*sess(?:ion)?_?|s)id|sv|sas|otp|hmac|ticket|pw|user|username"
)
_STRONG = pattern(r"(?:token|cookie|passw|passphrase|secret|pwd|api.?key|\bpass\Z)", re.IGNORECASE)
_GIVEN = pattern(r"[\\\"'\])]{0,5}[ \t]{0,8}(?P<sign>=(?!=|~[ \t])|[?+:]=|::=|:(?![:/=]/?))(?P<room>[ \t]*)")
_VERSION = (
    r"(?:[\^~<>=!]{1,2} ?\d+|v?\d+\.(?:\d+|\*))(?:\.(?:\d+|\*))*(?:(?:[abc]|rc|\.?post|\.?dev)\d+)?(?:=\w+)?"
)
_ORDINARY = pattern(
    rf"{_VERSION}(?:, ?{_VERSION}){{0,3}}"
    r"|[*]|true|false|yes|no|none|null|write|read|inherit|required|optional|disabled|enabled|auto|subprocess|import"
    r"|str|int|bool|\$\{\{[^{}]*\}\}|\$\{\w+\}|\$\(\w+\)|-|\||>",
    re.IGNORECASE,
)
# ``npm config set //host/:_authToken VALUE``, fish's ``set -x NAME VALUE``
_SET = pattern(r"(?<![\w-])(?:--)?set[ \t]{1,8}(?:-\w{1,4}[ \t]{1,8}|//[^\s\"']{1,150}:)?[\"']?\Z")
_FILE = pattern(r"(?i)\.(?:txt|in|toml|lock|cfg|ini|ya?ml|json|py|sh|bat|ps1|ipynb|log|conf|whl)\Z")
# ``google-auth: no release fits``
_PACKAGE = pattern(r"[a-z0-9]{1,30}(?:-[a-z0-9]{1,30}){0,6}-(?:auth|jwt|pat|sig|pass|credentials?|token|cookie)")
_PROSE = pattern(r"(?:[a-z]{1,12}|\d[\d.]{0,15})(?: [a-z]{1,12}){2}\b")
_LINE_NUMBER = pattern(r"\d{1,6}(?::\d{1,5})?:(?=\s|$)")
_QUERY_VALUE = pattern(r"(?:[^&\s\"'`<>#;]|[#;](?![\w-]+=))+")
_ROOM = pattern(r"(?:[ \t]|[\\^`]\r?\n)*")
_WORD = pattern(r"(?:\\(?:\r?\n|.)|[^\s\\])+")
_IN_QUOTES = {quote: pattern(rf"(?:\\.|[^{quote}\\\n])*") for quote in "\"'`"}
_SLASHES = pattern(r"\\{1,3}")
# The continuation after a closing quote, in a shell.
_JOINS = frozenset("\"'" + string.ascii_letters + string.digits)
_HASH = pattern("sha256|sha384|sha512|sha224|sha1|md5|blake2b|egg|subdirectory|hash|rev|commit")
_OPAQUE = pattern(r"(?=[\w.%~+/-]*\d)(?=[\w.%~+/-]*[A-Za-z])[\w.%~+/=-]{16,}\Z")
# The number of characters that are examined of a value with a neutral name.
_OPAQUE_MOST = 300
# The number of characters of an address in front of its query.
_ADDRESS_MOST = 500


def in_line(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans of secrets in ``text[start:end]``, a logical line; unordered, and some overlap."""
    yield from _addresses(text, start, end)
    yield from _shapes(text, start, end)
    yield from _values(text, start, end)


def without_user(url: str) -> str:
    """A URL without user, password, query and fragment; only its scheme if its host is not clear."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return re.sub(r"(?<![^/\\])[^/\\:]*:[^/\\]*@", "", url, count=1)  # an address whose scheme was forgotten
    start = len(scheme) + 3
    end = _end_of_user(url, start, len(url))
    rest = re.split(r"[?#]", url[start if end is None else end :], maxsplit=1)[0]
    if end is None and not (_AUTHORITY.match(rest) or re.match(r"[^/@:]*(:\d*)?(/|\Z)", rest)):
        return f"{scheme}://…"  # an unescaped character of a password may have ended the authority
    return f"{scheme}://{rest}"


def _addresses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """User and password of each URL, and tokens in its path."""
    at = text.find("://", start, end)
    while at >= 0:
        begin = at + 3
        following = text.find("://", begin, end)
        stop = end if following < 0 else following
        behind = _end_of_user(text, begin, stop)
        if behind is not None:
            if not _NOBODY.match(text, begin):
                yield begin, behind - (text[behind - 1 : behind] == "@")
        elif _is_cut_off(text, at, begin, stop):
            word = _STOP.search(text, begin, stop)
            yield begin, word.start() if word else stop
        at = following
    for match in _PATH_TOKEN.finditer(text, start, end):
        begins = max(text.rfind(each, start, match.start()) for each in " \t\"'`<>=(") + 1
        if not _OF_MACHINE.match(text, max(begins, start)):
            yield match.span(1)
    yield from (match.span(1) for match in _ALMOST.finditer(text, start, end))
    yield from (match.span(1) for match in _ESCAPED_USER.finditer(text, start, end))
    for match in _SCP.finditer(text, start, end):
        yield match.start(), text.rfind("@", match.start(), match.end())


def _end_of_user(text: str, start: int, stop: int) -> int | None:
    """The start of the host in a URL with a user or password; None for other URLs.

    The text between may contain any character, if the author did not escape it.
    """
    if text.startswith("/", start):
        if text.endswith(("file://", "sqlite://"), 0, start):
            return None  # the path of a file
        while text.startswith("/", start) and start < stop:
            start += 1
    word = _STOP.search(text, start, stop)
    word_end = word.start() if word else stop
    simple = _SIMPLE.match(text, start, stop)
    if simple or _AUTHORITY.match(text, start, stop):
        within = _last(_AT_HOST, text, start, word_end)
        beyond = _last(_AT_ADDRESS, text, word_end, stop) if simple else None
        return beyond or within
    by_host = _last(_AT_HOST, text, start, stop)
    if by_host is not None:
        return by_host
    single, port = _SINGLE.match(text, start, stop), _PORT_LIKE.match(text, start, stop)
    if port:
        by_host = _last(_AT_ADDRESS, text, start, stop)
    elif not single:
        at = text.rfind("@", start, stop)
        by_host = at + 1 if at >= 0 and text[at + 1 : at + 2].strip() else None
    is_repository = "+" in text[max(0, start - 12) : start - 3].rpartition(" ")[2]
    at = -1 if is_repository and single else text.rfind("@", start, word_end)
    return by_host or (at + 1 if at >= 0 else None)


def _last(pattern: re.Pattern[str], text: str, start: int, stop: int) -> int | None:
    """Behind the @ of the last match."""
    found = None
    for match in pattern.finditer(text, start, stop):
        found = match.start() + 1
    return found


def _is_cut_off(text: str, at: int, begin: int, stop: int) -> bool:
    """Whether a URL ends within its password: a name, a colon, and something other than a port."""
    scheme = _SCHEME.search(text, max(0, at - 30), at)
    if scheme is None or not _CARRIES_USERS.match(scheme[0]):
        return False
    word = re.match(
        r"[^\s/@:?#\[\]]+:(?!\d{1,5}(?![\w.~+-])|[$%{<:/]|\Z)[^\s]", text[begin : min(stop, begin + 300)]
    )
    return word is not None


def _shapes(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Tokens of a known form, and secrets in arguments of commands and calls."""
    yield from (match.span() for match in _SHAPES.finditer(text, start, end))
    yield from given_to_commands(text, start, end)


def _values(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The values of names of secrets: in URLs, commands, tables and lines of netrc."""
    at, netrc = start, ""
    while name := _NAME.search(text, at, end):
        at = name.end()
        before = text[name.start() - 1 : name.start()] if name.start() > start else ""
        if before and before in "?&;#" and text.startswith("=", at):
            found = _of_query(name, end)
        else:
            found = _of_name(name, start, end, netrc)
            if name[0] in ("machine", "login", "default"):
                netrc = name[0]
        if found is not None:
            yield found
            at = max(at, found[1])


def _of_query(name: re.Match[str], end: int) -> tuple[int, int] | None:
    text, behind = name.string, name.end()
    if text.startswith("==", behind):
        return None
    key = name[0].lower()
    end = _end_of_address(text, name.start(), end)
    if _is_secret(name[0]) or _QUERY_WORD.fullmatch(key):
        return _whole(_QUERY_VALUE.match(text, behind + 1, end))
    value = _QUERY_VALUE.match(text, behind + 1, min(end, behind + _OPAQUE_MOST))
    return value.span() if value and not _HASH.fullmatch(key) and _OPAQUE.match(value[0]) else None


def _end_of_address(text: str, query: int, end: int) -> int:
    """The end of an address in parentheses, as in the link ``[text](address)``; else the given end."""
    opening = text.rfind("](", max(0, query - _ADDRESS_MOST), query)
    closing = text.find(")", query, end)
    whole = opening >= 0 and closing >= 0 and _STOP.search(text, opening + 2, query) is None
    return closing if whole and ")" not in text[opening:query] else end


def _of_name(name: re.Match[str], start: int, end: int, netrc: str) -> tuple[int, int] | None:
    text, behind = name.string, name.end()
    if name[0].startswith(("http-basic.", "pypi-token.")) and text.startswith((" ", "\t"), behind):
        return behind + 1, end
    if netrc and name[0] in ("login", "account"):
        return _word_after(text, behind, end)
    if netrc and name[0] == "password":
        return behind + 1, end
    if not _is_secret(name[0]) or _is_folder(name):
        return None
    given = _GIVEN.match(text, behind, end)
    if given is not None and given["sign"] == ":" and _is_place(name, given):
        return None
    if given is not None:
        return _value(name, given, start, end)
    if not text.startswith((" ", "\t", "\\"), behind):
        return None
    option = text[max(start, name.start() - 2) : name.start()] == "--" and _STRONG.search(name[0])
    near = max(start, name.start() - 12)
    lead = text[max(near, text.rfind("\n", near, name.start()) + 1) : name.start()].split()
    behind_it = text[behind : min(end, behind + 300)]
    alone = name[0] == "password" and not lead and len(behind_it) < 300 and len(behind_it.split()) == 1
    is_set = lead in (["ENV"], ["setx"], ["setenv"]) or _SET.search(
        text, max(start, name.start() - 200), name.start()
    )
    return _word_after(text, behind, end) if option or is_set or alone else None


def _is_folder(name: re.Match[str]) -> bool:
    """Whether a shell replaces the name by its folder, as in ``"$(pwd)" = "$HOME"``."""
    return name[0] == "pwd" and name.string.endswith(("$(", "`"), 0, name.start())


def _is_place(name: re.Match[str], given: re.Match[str]) -> bool:
    """Whether the colon comes after the user of a URL, a file, or a package in a message."""
    text, start = name.string, name.start()
    if given["room"] and _FILE.search(name[0]):
        return True
    if given["room"] and _PACKAGE.fullmatch(name[0]) and _PROSE.match(text, given.end()):
        return True
    return text.endswith(("://", "/", "\\"), 0, start) or (
        not given["room"] and _LINE_NUMBER.match(text, given.end()) is not None
    )


def _word_after(text: str, behind: int, end: int) -> tuple[int, int] | None:
    room = _ROOM.match(text, behind, end)
    at = room.end() if room else behind
    if at == behind or text.startswith("-", at):
        return None
    return _quoted(text, at, end) or _whole(_WORD.match(text, at, end))


def _value(name: re.Match[str], given: re.Match[str], start: int, end: int) -> tuple[int, int] | None:
    """The value after the sign: a quoted text, a word directly after the sign, else the rest of the line."""
    text, at = name.string, given.end()
    if text[at : at + 1] in ("[", "(", "{"):
        return None
    escaped = _escaped(text, at, end)
    found = escaped or _quoted(text, at, end)
    if found is not None and not escaped and given["sign"] == "=" and text[found[1] + 1 : found[1] + 2] in _JOINS:
        found = _whole(_WORD.match(text, at, end))  # 'a'"b" of a shell is one word
    if found is None and given["sign"] == "=" and given.end() - name.end() == 1:
        found = _whole(_WORD.match(text, at, end))
    if found is None:
        line = text.find("\n", at, end)
        last = end if line < 0 else line
        quote = text[name.start() - 1 : name.start()] if name.start() > start else ""
        closing = text.find(quote, at, last) if quote in ("'", '"') else -1
        found = at, last if closing < 0 else closing
    value = text[found[0] : min(found[1], found[0] + 300)].strip(" \t\r,\"'")
    if not value or _ORDINARY.fullmatch(value) or _ORDINARY.fullmatch(value.rstrip("}]) ")):
        return None
    return found


def _quoted(text: str, at: int, end: int) -> tuple[int, int] | None:
    """A quoted text, perhaps with a prefix letter, without the quotes."""
    while text[at : at + 1] in ("f", "b", "r", "u", "$") and text[at + 1 : at + 2] in ("'", '"'):
        at += 1
    pattern = _IN_QUOTES.get(text[at : at + 1])
    return None if pattern is None else _whole(pattern.match(text, at + 1, end))


def _escaped(text: str, at: int, end: int) -> tuple[int, int] | None:
    """A text in escaped quotes, as in the source of a notebook."""
    slashes = _SLASHES.match(text, at, end)
    quote = text[slashes.end() : slashes.end() + 1] if slashes else ""
    if slashes is None or quote not in ("'", '"'):
        return None
    begin = slashes.end() + 1
    closing = text.find(slashes[0] + quote, begin, end)
    return None if closing < 0 else (begin, closing)


def _whole(match: re.Match[str] | None) -> tuple[int, int] | None:
    return None if match is None else match.span()


@lru_cache(4096)
def _is_secret(name: str) -> bool:
    """Whether this is the name of a secret: ``HF_TOKEN``, ``apiKey``, ``index-password``, ``X-Amz-Signature``."""
    if len(name) > 100:
        return True
    if name in ("PWD", "OLDPWD"):  # where a shell is
        return False
    if _LIKELY.search(name) is None:
        return False
    parts = [part.lower() for part in _SEGMENTS.split(_CAMEL.sub("_", name)) if part]
    if any(_SECRET_WORD.fullmatch(part) or part.endswith(_SECRET_ENDS) for part in parts):
        return True
    if name.isupper() and parts[-1].endswith("pass") and parts[-1] not in ("bypass", "compass"):
        return True
    if parts[-1:] == ["key"] and len(parts) > 1 and (name.isupper() or _KEY_OF.fullmatch(parts[-2])):
        return True
    return any(pair in (("access", "key"), ("art", "api")) for pair in pairwise(parts))
