"""Mask secrets (passwords, tokens, signatures) and control characters in every text that is shown.

Masks fail closed: if a URL can be read in two ways, the longer part is masked. A secret in a text that was read
(``learn``) is masked in every later text, too, because a message may quote a part of a line that does not look
like a secret. Nothing here changes files of requirements.

The forms of secrets are in ``secret_forms``, which is imported where a line may have one.
"""

from __future__ import annotations

from contextvars import ContextVar

from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MASK = "***"
# Variables that torchlock and its libraries read.
_READ = ("TORCHLOCK_", "PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

# A line without any of these has no secret. All are lower case.
_HINTS = (
    *("@", "?", "token", "secret", "pass", "pwd", "sig", "auth", "key", "cred", "jwt", "bearer", "cookie", "_pat"),
    *("%40", "basic ", " -u", "-user", "login", "upload ", "publish ", "/t/", "/priv/", "cloudsmith", "fury.io"),
    *("http-basic", "anaconda", "art-api", "sess", "stdin", "r8_", "rpa_", "gsk_", "dop_v1_", "lin_api_"),
    *("shpat_", "k_live_", "k_test_", "nvapi-", "akcp", "ya29.", "sg.", "shpss_", "shpca_"),
    *("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glpat-"),
    *("glagent-", "gloas-", "glimt-", "pypi-", "hf_", "akia", "asia", "xox", "sk-", "npm_", "aiza", "eyj"),
)  # fmt: skip
# Nor a URL that ends within its password.
_USER_AND_MORE = pattern(r"://[^\s/@:]{1,200}:")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

_OPEN = pattern(r"[^\s/@:]+:(?!\d+\Z)[^@]*\Z")
_CONTINUED = ("\\", "^", "`")
_LINE = pattern(r"[^\r\n]+")
_LINE_END = pattern(r"\r\n|\r|\n")
_SPLIT = pattern(r"[\s\"'`@/#;,\\=&?]+")
_JOINED = pattern(r"[\\^`]\r?\n[ \t]*")
_VARIABLE = pattern(r"\$|%[A-Za-z_]+%|\{\{")


class Span(NamedTuple):
    """A part of a text that is masked."""

    start: int
    end: int


# The learned secrets, by their first characters and then by length.
_PREFIX = 4
_LEAST, _LEAST_PART, _FREE = 4, 6, 10
# Words of our messages are not masked, even if somebody uses one as a password.
_OURS = frozenset(
    [
        "torch",
        "torchaudio",
        "torchvision",
        "torchcodec",
        "torchtext",
        "pytorch",
        "triton",
        "numpy",
        "numba",
        "soundfile",
        "librosa",
        "whisper",
        "audio",
        "python",
        "pip",
        "conda",
        "docker",
        "install",
        "wheel",
        "index",
        "linux",
        "windows",
        "macos",
        "cuda",
        "error",
        "warning",
        "note",
        "hint",
    ]
)
# At most this many texts wait until they are searched.
_WAITING = 200


class _Memory:
    """Learned texts that were not searched yet, the hashes of those that were, and the secrets found in them."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self.read: set[int] = set()
        self.known: dict[str, dict[int, set[str]]] = {}


# A run of the command line has the memory of the process; each call of the library has its own. A thread that
# works for a call is started in a copy of its context.
_memory: ContextVar[_Memory] = ContextVar("memory", default=_Memory())  # noqa: B039 (one for the process, on purpose)


class Apart:
    """A block with a memory of its own: what is learned before is not masked in it, and the reverse."""

    def __enter__(self) -> None:
        self._token = _memory.set(_Memory())

    def __exit__(self, *_: object) -> None:
        _memory.reset(self._token)


def learn(*texts: str) -> None:
    """From now on, mask the secrets of these texts everywhere. The texts are searched only when needed."""
    unread = _memory.get().unread
    unread.extend(text for text in texts if text)
    if len(unread) > _WAITING:
        _read_up()


def learn_variables(environ: Mapping[str, str]) -> None:
    """Mask the secrets of the variables that torchlock and its libraries read, from now on."""
    learn(*(value for name, value in environ.items() if name.upper().startswith(_READ)))


def forget() -> None:
    """Forget all learned secrets, at the start of a run."""
    memory = _memory.get()
    memory.unread.clear()
    memory.read.clear()
    memory.known.clear()


def masked(text: str) -> str:
    """The text with stars instead of its secrets and of learned secrets."""
    return cut(text, secrets_in(text), 0, len(text))


def shortened(text: str, longest: int = 500) -> str:
    """The text for a message: masked, and cut if it is too long to read."""
    shown = masked(text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def masked_values(value: Any) -> Any:
    """A JSON table with every text masked; keys stay."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: masked_values(item) for key, item in value.items()}
    return [masked_values(item) for item in value] if isinstance(value, (list, tuple)) else value


def cut(text: str, secrets: Iterable[Span], start: int, end: int) -> str:
    """``text[start:end]`` with stars instead of each secret, also of a secret that is cut."""
    parts, at = [], start
    for secret in secrets:
        if secret.end > at and secret.start < end:
            inside = text[max(secret.start, at) : min(secret.end, end)]
            parts += [text[at : max(secret.start, at)], _LINE.sub(MASK, inside)]
            at = min(secret.end, end)
    return "".join([*parts, text[at:end]])


class Line(NamedTuple):
    """A line of a text, unmasked, with its secrets."""

    text: str
    secrets: Sequence[Span] = ()

    def cut(self, start: int, end: int) -> str:
        """A part of the line with its secrets masked."""
        return cut(self.text, self.secrets, start, end)

    @property
    def masked(self) -> str:
        return self.cut(0, len(self.text))


def lines_of(text: str) -> list[Line]:
    """The lines of a text without their ends; the whole text is searched, because a secret may continue on the
    next line.
    """
    secrets, lines, first, start = secrets_in(text), [], 0, 0
    for end, following in [*(match.span() for match in _LINE_END.finditer(text)), (len(text), len(text))]:
        while first < len(secrets) and secrets[first].end <= start:
            first += 1
        here, last = [], first
        while last < len(secrets) and secrets[last].start < end:
            here.append(Span(max(secrets[last].start, start) - start, min(secrets[last].end, end) - start))
            last += 1
        lines.append(Line(text[start:end], here))
        start = following
    return lines


def one_line(text: str) -> str:
    """The text without line ends and control characters."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def redact(url: str) -> str:
    """A URL without user, password, query and fragment, on one line, so that it may be shown or written."""
    from torchlock.redaction.forms import without_user

    return one_line(masked(without_user(url)))


def secrets_in(text: str) -> list[Span]:
    """The secrets of a text in order, without overlaps: by their form, and learned ones."""
    _read_up()
    found = [*_by_form(text), *_by_memory(text)]
    return _merged(found) if found else found


def _merged(found: list[Span]) -> list[Span]:
    found.sort()
    merged = [found[0]]
    for span in found[1:]:
        last = merged[-1]
        if span.start <= last.end:
            merged[-1] = Span(last.start, max(last.end, span.end))
        else:
            merged.append(span)
    return merged


# By form.


def _by_form(text: str) -> list[Span]:
    found: list[tuple[int, int]] = []
    for start, end in _lines_with_hints(text):
        from torchlock.redaction.encoded_data import around_data
        from torchlock.redaction.forms import in_line

        for part in around_data(text, start, end):
            found += in_line(text, *part)
    return [Span(start, end) for start, end in found if start < end and text[start:end] != MASK]


def _lines_with_hints(text: str) -> list[tuple[int, int]]:
    """The logical lines (with their continuation lines) that may contain a secret."""
    lower = text.lower()
    if len(lower) != len(text):  # A letter like İ becomes two, so that no place is the same.
        lower = text.translate(_LOWER)
    starts: dict[int, int] = {}
    for hint in _HINTS:
        at = lower.find(hint)
        while at >= 0:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            starts[text.rfind("\n", 0, at) + 1] = end
            at = lower.find(hint, end)
    for match in _USER_AND_MORE.finditer(text):
        end = text.find("\n", match.end())
        starts[text.rfind("\n", 0, match.start()) + 1] = len(text) if end < 0 else end
    found: list[tuple[int, int]] = []
    for start in sorted(starts):
        if found and start < found[-1][1]:
            continue
        begin, end = _begin(text, start), _finish(text, starts[start])
        while found and begin < found[-1][1]:
            begin = min(begin, found.pop()[0])
        found.append((begin, end))
    return found


def _begin(text: str, start: int) -> int:
    """The start of the logical line; the line before belongs to it if it ends within the password of a URL."""
    is_first = True
    while start > 0:
        before = text.rfind("\n", 0, start - 1) + 1
        line = text[before : start - 1].rstrip("\r")
        _, scheme, rest = line.rpartition("://")
        if not (line.endswith(_CONTINUED) or (is_first and scheme and _OPEN.match(rest))):
            break
        start, is_first = before, False
    return start


def _finish(text: str, end: int) -> int:
    while end < len(text) and text[end - 2 if text[end - 1 : end] == "\r" else end - 1] in _CONTINUED:
        end = text.find("\n", end + 1)
        end = len(text) if end < 0 else end
    return end


# By memory.


def _read_up() -> None:
    """Find the secrets of learned texts that were not searched yet."""
    memory = _memory.get()
    while memory.unread:
        text = memory.unread.pop()
        if hash(text) in memory.read:
            continue
        memory.read.add(hash(text))
        for span in _by_form(text):
            for secret in _forms(text[span.start : span.end]):
                memory.known.setdefault(secret[:_PREFIX], {}).setdefault(len(secret), set()).add(secret)


def _forms(secret: str) -> Iterator[str]:
    """The forms in which messages may contain a secret: whole, without its user, unescaped, escaped, and its
    longer parts.
    """
    from urllib.parse import unquote

    if _VARIABLE.search(secret):
        return
    whole = {secret, secret.partition(":")[2], _JOINED.sub("", secret)}
    whole |= {unquote(text) for text in whole if "%" in text}
    whole |= {repr(text)[1:-1] for text in whole}
    yield from (text for text in whole if len(text) >= _LEAST and text not in _OURS)
    yield from (
        part
        for part in _SPLIT.split(secret.partition(":")[2] or secret)
        if len(part) >= _LEAST_PART and part not in _OURS
    )


def _by_memory(text: str) -> Iterator[Span]:
    known = _memory.get().known
    if not known:
        return
    for at in range(len(text) - _PREFIX + 1):
        by_length = known.get(text[at : at + _PREFIX])
        if by_length:
            for length, secrets in by_length.items():
                if text[at : at + length] in secrets and (length >= _FREE or _stands_alone(text, at, at + length)):
                    yield Span(at, at + length)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether the match is a whole word: ``pass`` is a password, ``pass`` in ``passive`` is not."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())
