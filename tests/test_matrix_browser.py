"""The page of ``torchlock matrix`` in a real browser: it judges as Python does, and anybody can use it."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from support.amount import amount
from support.browser import browser, show
from torchlock.check.log_signatures import signatures
from torchlock.cli.main import main
from torchlock.knowledge.drivers import driver_refuses
from torchlock.knowledge.gpus import Gpu
from torchlock.knowledge.masks import lowest
from torchlock.knowledge.registry import meanings
from torchlock.matrix.fitness import fitness_of
from torchlock.matrix.judging import Pair
from torchlock.matrix.selection import COMPANIONS, EVERY
from torchlock.matrix.table import Table
from torchlock.target import PLATFORMS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser
LIMIT = 1_500_000  # bytes
AXE = os.environ.get("TORCHLOCK_TEST_AXE", "")
JUDGE = """
const view = torchlockView, found = [];
for (const [name, release, build, torch, torchBuild, platform, python] of arguments[0]) {
  const judged = view.judge.judge(name, release, build, torch, torchBuild, platform, 1 << python);
  found.push(judged && [judged.verdict, judged.kind, judged.reason, judged.rule, judged.symbol,
    judged.sources.map((place) => view.data.sources[place][0]), judged.evidence.map((each) => each[0])]);
}
return found;
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "matrix.html"
    assert main(["matrix", "--format", "html", "--platform", "linux-x86_64", "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def driver(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as started:
        show(started, page)
        yield started


@pytest.fixture(scope="module")
def table() -> Table:
    return Table()


def every_pair(table: Table) -> Iterator[tuple[str, int, str, int, str, int, int]]:
    """All pairs of builds that install together: release, build, torch, its build, platform and Python.

    A release is tried on the first and on the last Python of each platform.
    """
    torches = table.stack.packages["torch"]
    for platform in range(len(table.stack.platforms)):
        cells = table.stack.on_platform(platform)
        for name in COMPANIONS:
            package = table.stack.packages[name]
            for release, mine in enumerate(package.cells):
                for torch, theirs in enumerate(torches.cells):
                    if not mine & theirs & cells or not package.comparable >> release & 1:
                        continue
                    for build in table.builds_of(name, release, EVERY, platform):
                        for other in table.builds_of("torch", torch, EVERY, platform):
                            shared = mine & theirs & cells
                            ends = {lowest(shared), shared.bit_length() - 1}
                            for cell in ends:
                                python = table.stack.coordinates(cell)[1]
                                yield name, release, build, torch, other, platform, python


def test_the_page_judges_each_pair_as_python_does(driver: Any, table: Table) -> None:
    pairs = list(every_pair(table))
    chosen = random.Random(11).sample(pairs, amount(len(pairs), quick=6000))
    for start in range(0, len(chosen), 5000):
        part = chosen[start : start + 5000]
        answers = driver.execute_script(JUDGE, [list(each) for each in part])
        for pair, answer in zip(part, answers, strict=True):
            assert answer == expected(table, *pair), pair


def test_an_unproven_release_of_an_update_is_unknown(driver: Any, table: Table) -> None:
    names = (("torchcodec", "0.13.0"), ("torch", "2.15.0"))
    places = [table.stack.packages[name].versions.index(text) for name, text in names]
    script = """
    const data = structuredClone(torchlockView.data);
    data.packages.torch.unproven = {"2.15.0": {[arguments[0]]: "no rule covers it yet"}};
    return new Judge(data).judge("torchcodec", arguments[1], "cpu", arguments[2], "cpu", 0);
    """
    for where, verdict in (("", "unknown"), ("linux-x86_64", "unknown"), ("macos-arm64", "loads")):
        assert driver.execute_script(script, where, *places)["verdict"] == verdict


def test_a_release_whose_wheels_differ_by_python_is_judged_for_each(driver: Any, table: Table) -> None:
    names = (("torchtext", "0.16.2"), ("torch", "2.2.0"))
    places = [table.stack.packages[name].versions.index(text) for name, text in names]
    script = "return torchlockView.judge.judge('torchtext', ...arguments[0])"
    python = {minor: 1 << table.stack.pythons.index(minor) for minor in (11, 12)}
    found = {
        minor: driver.execute_script(script, [places[0], "cpu", places[1], "cu121", 0, bit])["verdict"]
        for minor, bit in python.items()
    }
    assert found == {11: "fails", 12: "loads"}
    both = driver.execute_script(script, [places[0], "cpu", places[1], "cu121", 0, python[11] | python[12]])
    assert both["verdict"] == "unknown"
    assert both["reason"] == "It depends on the Python: fails on Python 3.11; loads on Python 3.12."


def expected(
    table: Table, name: str, release: int, build: str, torch: int, torch_build: str, platform: int, python: int
) -> list[Any]:
    package, torches = table.stack.packages[name], table.stack.packages["torch"]
    public = (build, torch_build) == (
        table.public_build(name, release, platform),
        table.public_build("torch", torch, platform),
    )
    pair = Pair(name, package.versions[release], build, torches.versions[torch], torch_build, public)
    judged = table.judged(pair, platform * len(table.stack.pythons) + python)
    files = [each.file for each in judged.evidence]
    return [
        judged.verdict,
        judged.kind,
        judged.reason,
        judged.rule,
        judged.symbol,
        list(judged.sources),
        files,
    ]


SPECIFIERS = (
    "==2.8.0", "==2.8", "==2.8.*", "!=2.8.0", "!=2.*", ">=2.8", ">2.8", "<2.8", "<=2.8.0", "~=2.8", "~=2.8.1",
    ">=2.0,<2.4", ">=2.0,!=2.1.*,<3", "==0.0.0.dev0", ">0.0.0", "<0.0.1", ">=0.2a1", "===2.8.0",
    "<1.0rc1", "==1!2.0", "~=0.11",
)  # fmt: skip


def test_the_page_reads_specifiers_as_packaging_does(driver: Any, table: Table) -> None:
    script = "return arguments[0].map(([name, text]) => allowed(torchlockView.data, name, text));"
    asked = [(name, text) for name in ("torch", *COMPANIONS) for text in SPECIFIERS]
    answers = driver.execute_script(script, [list(each) for each in asked])
    for (name, text), answer in zip(asked, answers, strict=True):
        fits = SpecifierSet(text, prereleases=True)
        versions = table.stack.packages[name].versions
        assert answer == [at for at, version in enumerate(versions) if fits.contains(version)], (name, text)
    for text in ("=>2.8", ">=", "2.8", "~=2", "==abc"):
        assert driver.execute_script(script, [["torch", text]]) == [None], text


MARKERS = (
    "python_version >= '3.10'", "python_version < '3.9' or python_version == '3.12.*'", "'3.11' <= python_version",
    "sys_platform == 'linux' and platform_machine != 'aarch64'", "os_name == 'nt'", "'win' in sys_platform",
    "(sys_platform == 'darwin' or platform_system == 'Windows') and python_version not in '3.8 3.9'",
    "platform_machine == 'arm64'", "implementation_name == 'cpython'", "sys_platform == 'linux' or extra == 'x'",
    'python_version != "3.10" and python_version >= "3.8"', "python_version ~= '3.9'",
)  # fmt: skip


def test_the_page_evaluates_markers_as_packaging_does(driver: Any) -> None:
    cases = [(text, platform, minor) for text in MARKERS for platform in PLATFORMS for minor in (8, 9, 10, 12)]
    script = (
        "return arguments[0].map(([text, platform, minor]) => markerHolds(text, environmentOf(platform, minor)))"
    )
    answers = driver.execute_script(script, [list(case) for case in cases])
    for (text, platform, minor), answer in zip(cases, answers, strict=True):
        target = Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(platform))
        if answer is not None:
            assert answer == Marker(text).evaluate(dict(target.environment)), (text, platform, minor)
    unknown = [case for case, answer in zip(cases, answers, strict=True) if answer is None]
    assert {text for text, _, _ in unknown} == {"sys_platform == 'linux' or extra == 'x'"}
    for text in (
        "python_version",
        "python_version >= 3.9",
        "sys_platform == 'linux' and",
        "a == 'b')",
        "platform_release > '5'",
    ):
        assert driver.execute_script(script, [[text, "linux-x86_64", 12]]) == [None], text


def test_the_page_judges_pins_as_audit_does(
    driver: Any, table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pinned pairs that install on Python 3.10 and Linux, with the wheels of the public index and of one build."""
    rules = {"TL101", "TL102", "TL103", "TL104", "TL201", "TL203"}
    chance, cell = random.Random(3), table.stack.cell(0, table.stack.pythons.index(10))
    cases = []
    for name in COMPANIONS:
        mine = [at for at, cells in enumerate(table.stack.packages[name].cells) if cells & cell]
        theirs = [at for at, cells in enumerate(table.stack.packages["torch"].cells) if cells & cell]
        cases += [(name, chance.choice(mine), chance.choice(theirs)) for _ in range(amount(60, quick=12))]
        good = [
            (name, release, torch)
            for torch in theirs
            for release in mine
            if table.stack.loads_beside(name, torch) >> release & 1
        ]
        cases += chance.sample(good, min(len(good), 12))
    target = {"platform": 0, "pythons": 1 << table.stack.pythons.index(10), "build": "pypi"}
    script = (
        "const found = judgeRequirements(torchlockView.judge, arguments[0], arguments[1]);"
        "return [found.verdict, found.lines.map((line) => line.text).join(' ')];"
    )
    for name, release, torch in cases:
        versions = table.stack.packages[name].versions[release], table.stack.packages["torch"].versions[torch]
        text = f"{name}=={versions[0]}\ntorch=={versions[1]}\n"
        path = tmp_path / "requirements.txt"
        path.write_text(text)
        main(["audit", str(path), "--python", "3.10", "--platform", "linux-x86_64", "--json"])
        findings = json.loads(capsys.readouterr().out)["files"][0]["findings"]
        fails = any(each["rule"] in rules and each["severity"] != "note" for each in findings)
        answer, said = driver.execute_script(script, text, target)
        # Where the wheels miss nothing, the rules that audit asks are what documents say.
        assert (
            answer == "unknown" if fails and "documented as failing" in said else (answer == "fails") == fails
        ), text


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("torch==2.9.1\ntorchaudio==2.9.1\n", "loads"),
        ("torch==2.9.1\ntorchaudio==2.8.0  # old\n", "fails"),
        ("torch==2.12.1\ntorchaudio==2.11.1\n", "fails"),
        ("torch>=2.0\ntorchaudio>=2.0\n", "loads"),
        ("torch\ntorchaudio<2.9\n", "loads"),
        ("torch<2.13\ntorchaudio>=2.11\n", "unknown"),
        ("torchvision==0.2.2.post3\ntorch==2.9.0\n", "unknown"),
        ("torch==2.9.1+cu128\ntorchaudio==2.9.1+cu126\n", "fails"),
        ("pip install torch==2.8.0 torchaudio==2.8.0 --index-url https://download.pytorch.org/whl/cu126", "loads"),
        ("torch==99.0\ntorchaudio\n", "unknown"),
        ("torch==2.9.1\ntorchaudio==2.9.1; sys_platform == 'linux'\n", "loads"),
        ("torch==2.9.1\ntorchaudio==2.8.0; sys_platform == 'win32'\n", "loads"),
        ("torch==2.9.1\ntorchaudio==2.8.0; sys_platform != 'win32'\n", "fails"),
        ("torch==2.9.1\ntorchaudio==2.9.1; python_version >= '3.12'\n", "unknown"),
        ("torch==2.9.1\ntorchaudio==2.9.1; platform_release == 'x'\n", "unknown"),
        ("requests\n", "unknown"),
    ],
)
def test_a_pasted_list_is_judged(driver: Any, text: str, verdict: str) -> None:
    script = "return judgeRequirements(torchlockView.judge, arguments[0], torchlockView.target)"
    answer = driver.execute_script(script, text)
    assert answer["verdict"] == verdict, answer


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("Successfully installed torch-2.9.1+cu128 torchaudio-2.8.0\n", "torch==2.9.1+cu128\ntorchaudio==2.8.0"),
        ("torch                 2.9.1\ntorchaudio            2.8.0\n", "torch==2.9.1\ntorchaudio==2.8.0"),
        ("Found torch 2.9.1\ntorchaudio 2.8.0 requires torch==2.8.0\n", ""),
        ("torchaudio 2.8.0\n", ""),
        ("torch-audiomentations 0.11.0, pytorch-lightning 2.0.1, torchaudio 2.1.0", ""),
    ],
)
def test_releases_that_a_log_names_are_judged_if_there_is_one_of_each(driver: Any, text: str, pins: str) -> None:
    assert driver.execute_script("return pinsOfLog(torchlockView.data, arguments[0])", text) == pins


def test_the_page_knows_the_lines_of_logs_that_check_knows(driver: Any) -> None:
    """Every line of the signatures' own cases: the same signature answers in the browser and in Python."""
    text = (Path(__file__).parent / "scenarios" / "log" / "signatures.toml").read_text(encoding="utf-8")
    lines = [line[:1000] for line in text.splitlines() if line.strip()]
    script = """
    const reader = new LogReader(torchlockView.data);
    return arguments[0].map((line) => { const found = reader.signature(line); return found && found.rules; });
    """
    answers = driver.execute_script(script, lines)
    for line, answer in zip(lines, answers, strict=True):
        known = next(
            (
                each
                for each in signatures()
                if each.line.search(line) and (not each.beside or each.beside.search(line))
            ),
            None,
        )
        assert answer == (list(known.rules) if known else None), line
    assert sum(answer is not None for answer in answers) > 100
    assert driver.execute_script("return new LogReader(torchlockView.data).meanings.length") == len(meanings())


def test_the_page_claims_nothing_of_logs_of_other_code(driver: Any) -> None:
    """Only lines with a meaning of their own, or lines that name the stack, are shown."""
    script = "return new LogReader(torchlockView.data).read(arguments[0]).map((each) => [each.line, each.meaning])"
    for path in sorted((Path(__file__).parent / "unrelated_logs").glob("*.log")):
        for line, meaning in driver.execute_script(script, path.read_text(encoding="utf-8")):
            assert meaning or any(word in line.lower() for word in ("torch", "c10", "sndfile", "libav", "libsw"))


def test_the_page_says_of_gpus_and_drivers_what_python_says(driver: Any, table: Table) -> None:
    script = """
    const view = torchlockView;
    const asked = arguments[0].map((each) => view.judge.fitness(...each));
    return asked.map((found) => [found.answer, found.because]);
    """
    chance, asked = random.Random(7), []
    gpus = driver.execute_script("return torchlockView.data.machines.gpus.map((each) => each[0])")
    torches = table.stack.packages["torch"]
    for _ in range(amount(4000, quick=1500)):
        platform, torch = chance.choice([0, 1, 4]), chance.randrange(24, len(torches.versions))
        builds = table.builds_of("torch", torch, EVERY, platform)
        if torches.cells[torch] & table.stack.on_platform(platform) and builds[0]:
            driver_ = chance.choice(["", "450.80.02", "525.60.13", "525.10", "560.28.03", "580.65.06"])
            asked.append((torch, chance.choice(builds), platform, chance.choice(gpus), driver_))
    answers = driver.execute_script(script, [list(each) for each in asked])
    for (torch, build, platform, arch, version), answer in zip(asked, answers, strict=True):
        gpu, place = Gpu(arch, arch), table.stack.platforms[platform]
        found = fitness_of(torches.versions[torch], build, place, gpu, version)
        assert answer == [found.answer, found.because], (torches.versions[torch], build, place, arch, version)
    assert driver_refuses(Gpu("sm_61", "sm_61"), "590.10")


def test_the_page_is_small_and_asks_nothing_of_the_network(page: Path, driver: Any) -> None:
    assert page.stat().st_size < LIMIT
    show(driver, page)
    asked = driver.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert not [name for name in asked if not name.startswith("data:")]


def test_the_page_prints_nothing_to_the_console(page: Path, driver: Any) -> None:
    driver.get_log("browser")
    show(driver, page)
    for text in (
        "torch==2.9.1\ntorchaudio==2.8.0",
        "Traceback\nOSError: libc10_cuda.so: cannot open shared object file",
    ):
        driver.execute_script("byId('pasted').value = arguments[0]; byId('judge').click()", text)
        assert driver.find_element("id", "judged").text
    for name, value in (
        ("platform", "2"),
        ("python", "5"),
        ("build", "cu128"),
        ("gpu", "sm_120"),
        ("driver", "550"),
    ):
        script = "byId(arguments[0]).value = arguments[1]; byId('filters').dispatchEvent(new Event('input'))"
        driver.execute_script(script, name, value)
    assert driver.get_log("browser") == []


@pytest.mark.skipif(not Path(AXE).is_file(), reason="TORCHLOCK_TEST_AXE does not name axe.min.js")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing(page: Path, driver: Any, width: int, dark: bool) -> None:
    show(driver, page, width=width, dark=dark)
    driver.execute_script(
        "document.querySelector('td.loads').click();"
        "byId('pasted').value = 'torch\\ntorchaudio<2.9'; byId('judge').click()"
    )
    driver.execute_script(Path(AXE).read_text(encoding="utf-8"))
    run = (
        "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then((found) => done(found.violations))"
    )
    driver.set_script_timeout(120)
    found = driver.execute_async_script(run)
    assert not [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found]


@pytest.mark.parametrize("width", [320, 390, 600, 1400])
def test_no_window_scrolls_sideways(page: Path, driver: Any, width: int) -> None:
    """Wide tables scroll in themselves. A phone makes a page small that is wider than its window."""
    show(driver, page, width=width)
    for script in ("", "document.querySelector('td.loads').click()"):
        driver.execute_script(script)
        whole, window = driver.execute_script(
            "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
        )
        assert whole <= window


def test_the_keyboard_moves_over_the_cells_and_shows_evidence(page: Path, driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    show(driver, page)
    cell = driver.find_element("css selector", "#grid td[tabindex='0']")
    cell.send_keys(Keys.ARROW_DOWN)
    active = driver.switch_to.active_element
    assert active.tag_name == "td"
    assert active.get_attribute("data-release") == cell.get_attribute("data-release")
    active.send_keys(Keys.ENTER)
    assert active.get_attribute("aria-selected") == "true"
    assert "torchaudio" in driver.find_element("id", "evidence").text
    assert len(driver.find_elements("css selector", "#grid td[tabindex='0']")) == 1


def test_a_cell_gives_the_commands_of_its_build(page: Path, driver: Any, table: Table) -> None:
    show(driver, page)
    script = """
    byId("build").value = arguments[0];
    torchlockView.draw();
    torchlockView.choose(arguments[1], arguments[2], arguments[3]);
    """
    name, torch = "torchcodec", table.stack.packages["torch"].versions.index("2.9.1")
    driver.execute_script(script, "pypi", name, table.stack.packages[name].versions.index("0.9.1"), torch)
    text = driver.find_element("id", "evidence").text
    assert "python -m pip install torch==2.9.1 torchcodec==0.9.1\n" in text
    assert "uv pip install torch==2.9.1 torchcodec==0.9.1\n" in text
    assert "apt-get install -y --no-install-recommends ffmpeg" in text
    release = table.stack.packages["torchaudio"].versions.index("2.9.1")
    driver.execute_script(script, "cu126", "torchaudio", release, torch)
    text = driver.find_element("id", "evidence").text
    assert "--index-url https://download.pytorch.org/whl/cu126\ntorch==2.9.1\ntorchaudio==2.9.1" in text
    old = [
        table.stack.packages[each].versions.index(text)
        for each, text in (("torchtext", "0.17.2"), ("torch", "2.2.2"))
    ]
    driver.execute_script(script, "cu121", "torchtext", *old)
    text = driver.find_element("id", "evidence").text
    assert (
        "install torch==2.2.2 --index-url https://download.pytorch.org/whl/cu121\npython -m pip install torchtext"
        in text
    )
    driver.execute_script(script, "pypi", "torchaudio", release - 1, torch)
    text = driver.find_element("id", "evidence").text
    assert "pip install" not in text


def test_a_print_has_the_tables_and_the_target(page: Path, driver: Any) -> None:
    show(driver, page)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = [
        each.is_displayed() for each in driver.find_elements("css selector", ".overview button.pick, #target")
    ]
    assert len(shown) > 50
    assert all(shown)
    assert not driver.find_element("id", "filters").is_displayed()
    assert driver.find_element("id", "target").text.startswith("linux-x86_64; Python any; build: public index")


def test_the_first_table_is_in_the_page_as_its_script_draws_it(page: Path, driver: Any) -> None:
    show(driver, page)
    drawn = driver.execute_script("""
    const table = document.querySelector(".overview").cloneNode(true);
    for (const each of table.querySelectorAll(".hidden")) each.remove();
    return [...table.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
    """)
    text = page.read_text(encoding="utf-8").partition("<noscript>")[0].partition("<tbody>")[2]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in text.partition("</tbody>")[0].split("</tr>")]
    written = [[re.sub("<[^>]*>", "", cell) for cell in row] for row in rows if row]
    assert drawn == written
