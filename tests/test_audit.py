"""What the audit finds in a file, and above all what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor, Options
from torchlock.target import Platform, PythonVersion

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

CU118 = "--extra-index-url https://example.org/whl/cu118\n"
ALL_BUILDS = "--find-links https://example.org/whl/torch_stable.html\n"
LINUX_311 = Options(pythons=(PythonVersion.parse("3.11"),), platforms=(Platform.parse("linux-x86_64"),))


def audit(
    tmp_path: Path, text: str, name: str = "requirements.txt", options: Options | None = None
) -> list[Finding]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return Auditor(options).report(str(path)).findings


def summary(findings: list[Finding]) -> list[tuple[int, str, str]]:
    """Line, severity and rule of all that is worse than a note."""
    return [(each.place.line, each.severity, each.rule) for each in findings if each.severity != "note"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="an empty file"),
        pytest.param("requests\nflask==3.0\n", id="nothing of the stack"),
        pytest.param("torch==1.13.1\ntorchaudio==0.13.1\nsoundfile==0.12.1\n", id="the pair of 1.13"),
        pytest.param("torch==2.0.1\ntorchaudio==2.0.2\n", id="numbers that differ and fit"),
        pytest.param("torch==2.8.0\ntorchaudio==2.8.0\ntorchvision==0.23.0\ntorchcodec==0.7.0\n", id="all of 2.8"),
        pytest.param("torch==2.13.0\ntorchaudio==2.11.0\n", id="the stable ABI: other minors go together"),
        pytest.param("torch==2.14.1\ntorchaudio==2.11.0\ntorchcodec==0.17.0\n", id="as measured"),
        pytest.param("torchaudio==2.5.1\n", id="torch comes with the metadata"),
        pytest.param("torch==2.3.1\ntorchaudio>=2.3,<2.4\n", id="a range with one fitting release"),
        pytest.param("torch>=2.6,<2.7\ntorchaudio>=2.6,<2.7\n", id="two ranges of one series"),
        pytest.param(CU118 + "torch==2.3.1+cu118\ntorchaudio==2.3.1+cu118\n", id="labels and their index"),
        pytest.param(CU118 + "torch==2.3.1+cu118\ntorchaudio==2.3.1\n", id="the index gives the label"),
        pytest.param(ALL_BUILDS + "torch==1.9.0+cu111\ntorchaudio==0.9.0\n", id="a page with all builds"),
        pytest.param(
            "torch==1.12.1 ; python_version < '3.8'\ntorch==2.3.1 ; python_version >= '3.8'\n"
            "torchaudio==0.12.1 ; python_version < '3.8'\ntorchaudio==2.3.1 ; python_version >= '3.8'\n",
            id="the same package twice under disjoint markers",
        ),
        pytest.param("torch==2.7.0.dev20250304\ntorchaudio==2.6.0\n", id="nightlies are not judged"),
        pytest.param("torch==2.6.0a0+df5bbc09d1.nv24.12\ntorchaudio==2.5.1\n", id="a vendor re-pairs on purpose"),
        pytest.param("torch==2.99.0\ntorchaudio==2.99.0\n", id="newer than the tables"),
        pytest.param("torch @ git+https://example.org/pytorch.git\ntorchaudio==2.5.1\n", id="a repository"),
        pytest.param("torch==2.6.0\nnumpy==2.0.0\n", id="NumPy 2 with a torch that was built for it"),
        pytest.param("torch==2.2.2\nnumpy<2\n", id="NumPy 1 with one that was not"),
        pytest.param(
            "--index-url https://example.org/whl/cpu\ntorch\ntorchaudio\n",
            id="an index that serves just one build",
        ),
        pytest.param("torchaudio\nspeechbrain\n", id="who knows what brings torch"),
        pytest.param("-r base.txt\ntorch==2.5.1\n", id="a file that is not there"),
    ],
)
def test_left_alone(tmp_path: Path, text: str) -> None:
    assert summary(audit(tmp_path, text)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "torch==2.7.1\ntorchaudio==2.5.1\n", [(2, "error", "TL101")], id="torchaudio of another release"
        ),
        pytest.param(
            "torch==2.9.1\ntorchaudio==2.11.0\n", [(2, "error", "TL101")], id="the stable ABI, older torch"
        ),
        pytest.param(
            "torch==2.12.0\ntorchaudio==2.11.1\n", [(2, "warning", "TL101")], id="the stable ABI, on Linux"
        ),
        pytest.param(
            "torch==2.0.1\ntorchaudio==2.0.1\n", [(2, "error", "TL101")], id="equal numbers that do not fit"
        ),
        pytest.param("torch==1.8.1\ntorchvision==0.10.0\n", [(2, "error", "TL103")], id="torchvision"),
        pytest.param("torch==1.9.0\ntorchtext==0.11.0\n", [(2, "error", "TL104")], id="torchtext"),
        pytest.param("torch~=2.2.1\ntorchvision~=0.15.1\n", [(2, "error", "TL103")], id="ranges that do not meet"),
        pytest.param(
            "torchaudio==2.5.1\ntorchvision==0.22.1\n", [(1, "error", "TL101")], id="two companions, torch unnamed"
        ),
        pytest.param(
            "torch==2.3.1\ntorchaudio\n", [(2, "warning", "TL101")], id="a bare torchaudio takes the newest"
        ),
        pytest.param("torch\ntorchaudio<2.11.1\n", [(2, "warning", "TL201")], id="the newest builds do not fit"),
        pytest.param("torch==2.2.2\nnumpy\n", [(2, "warning", "TL105")], id="a bare NumPy takes the newest"),
        pytest.param("torchaudio==2.11.0\n", [(1, "warning", "TL108")], id="nothing brings torch"),
        pytest.param(
            CU118 + "torch==2.2.1+cu121\ntorchaudio==2.2.1+cu118\n",
            [(2, "error", "TL205"), (3, "error", "TL201")],
            id="labels that disagree, and one that the index does not carry",
        ),
        pytest.param("torch==2.3.1+cu118\n", [(1, "warning", "TL507")], id="a label and no index"),
        pytest.param(
            "--extra-index-url https://example.org/whl/cu121\ntorch==2.7.1+cu121\n",
            [(2, "error", "TL204")],
            id="a build that never was",
        ),
        pytest.param("torch==2.5.2\n", [(1, "error", "TL502")], id="a release that never was"),
        pytest.param("torch==2.5.0\ntorch==2.5.1\n", [(2, "error", "TL506")], id="twice"),
        pytest.param(ALL_BUILDS + "torch==1.10.0\n", [(2, "warning", "TL206")], id="+rocm sorts above +cu"),
        pytest.param("torchaudio==2.0.0\n", [(1, "warning", "TL508")], id="withdrawn"),
    ],
)
def test_caught(tmp_path: Path, text: str, expected: list[tuple[int, str, str]]) -> None:
    assert summary(audit(tmp_path, text)) == expected


def test_the_message_names_versions_and_the_remedy_is_one_line(tmp_path: Path) -> None:
    finding = audit(tmp_path, "torch==2.7.1\ntorchaudio==2.5.1  # keep\n")[0]
    assert finding.message == "torchaudio 2.5.1 works with torch 2.5.1, not with torch 2.7.1"
    assert finding.remedy is not None
    assert [(change.line, change.old, change.new) for change in finding.remedy.changes] == [
        (2, "torchaudio==2.5.1  # keep", "torchaudio==2.7.1  # keep")
    ]
    assert finding.sources


def test_what_fails_on_every_target_asked_for_is_an_error(tmp_path: Path) -> None:
    text = "torch==2.15.0\ntorchaudio==2.11.0\n"
    assert summary(audit(tmp_path, text)) == [(2, "warning", "TL201")]
    assert summary(audit(tmp_path, text, options=LINUX_311)) == [(2, "error", "TL201")]


def test_a_python_without_wheels(tmp_path: Path) -> None:
    project = '[project]\nname = "x"\nversion = "1"\nrequires-python = "{}"\ndependencies = ["torch<=2.4.1"]\n'
    assert summary(audit(tmp_path, project.format(">=3.10"), "pyproject.toml")) == []
    assert summary(audit(tmp_path, project.format(">=3.8,<3.10"), "pyproject.toml")) == []
    findings = audit(tmp_path, project.format(">=3.13"), "pyproject.toml")
    assert summary(findings) == [(5, "error", "TL403")]
    assert "2.15.0 is the newest that has one" in findings[0].message


def test_a_declared_python_without_a_choice_is_a_warning(tmp_path: Path) -> None:
    text = (
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.8,<3.12"\n'
        'dependencies = ["torch==2.5.1", "torchaudio==2.5.1"]\n'
    )
    assert summary(audit(tmp_path, text, "pyproject.toml")) == [(5, "warning", "TL403")]


@pytest.mark.parametrize(
    ("libraries", "text", "expected"),
    [
        pytest.param({}, "torch==2.8.0\ntorchcodec==0.7.0\n", [], id="nothing is said of the machine"),
        pytest.param({"ffmpeg": "6.1"}, "torch==2.8.0\ntorchcodec==0.7.0\n", [], id="FFmpeg is there"),
        pytest.param(
            {"ffmpeg": None}, "torch==2.8.0\ntorchcodec==0.7.0\n", [(2, "error", "TL304")], id="FFmpeg is missing"
        ),
        pytest.param({"cuda-driver": "580"}, "torch==2.13.0\n", [], id="a driver that is new enough"),
        pytest.param({"cuda-driver": "470"}, "torch==2.13.0\n", [(1, "error", "TL202")], id="one that is not"),
    ],
)
def test_the_machine(
    tmp_path: Path, libraries: dict[str, str | None], text: str, expected: list[tuple[int, str, str]]
) -> None:
    assert summary(audit(tmp_path, text, options=LINUX_311._replace(libraries=libraries))) == expected


def test_an_old_glibc(tmp_path: Path) -> None:
    text = "torch==2.8.0\n"
    old = Options(platforms=(Platform.parse("manylinux_2_17_x86_64"),))
    assert summary(audit(tmp_path, text, options=Options(platforms=(Platform.parse("linux-x86_64"),)))) == []
    assert summary(audit(tmp_path, text, options=old)) == [(1, "error", "TL403")]


def test_ignores(tmp_path: Path) -> None:
    text = "torch==2.7.1\ntorchaudio==2.5.1  # torchlock: ignore[TL101] only its data sets are used\n"
    assert audit(tmp_path, text.replace("TL101", "TL101, TL306")) == []
    assert summary(audit(tmp_path, text.replace("TL101", "TL103"))) == [(2, "error", "TL101")]
    assert "TL904" in {finding.rule for finding in audit(tmp_path, text.replace("TL101", "TL103"))}
    everywhere = Options(ignore=frozenset({"TL101", "TL306"}))
    assert audit(tmp_path, "torch==2.7.1\ntorchaudio==2.5.1\n", options=everywhere) == []


def test_backends_are_notes(tmp_path: Path) -> None:
    assert {each.rule for each in audit(tmp_path, "torch==2.5.1\ntorchaudio==2.5.1\n")} == {"TL306"}
    assert audit(tmp_path, "torch==2.5.1\ntorchaudio==2.5.1\nsoundfile==0.13.1\n") == []
    assert {each.rule for each in audit(tmp_path, "torch==2.9.1\ntorchaudio==2.9.1\n")} == {"TL305"}
    assert {each.rule for each in audit(tmp_path, "soundfile==0.10.3.post1\n")} == {"TL301"}


def test_a_lock_for_many_targets(tmp_path: Path) -> None:
    def package(name: str, version: str, marker: str) -> str:
        return (
            f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\npython-versions = ">=3.9"\n'
            f'groups = ["main"]\nmarkers = "{marker}"\nfiles = []\n\n'
        )

    end = '[metadata]\nlock-version = "2.1"\npython-versions = ">=3.10"\ncontent-hash = "0"\n'
    linux, other = "sys_platform == 'linux'", "sys_platform != 'linux'"
    broken = package("torch", "2.7.1", linux) + package("torchaudio", "2.5.1", linux)
    works = package("torch", "2.7.1", other) + package("torchaudio", "2.7.1", other)
    numpy = package("numpy", "2.2.6", other)
    severities = {
        each.severity for each in audit(tmp_path, broken + works + end, "poetry.lock") if each.rule == "TL101"
    }
    assert severities == {"warning"}, "it works elsewhere"
    severities = {
        each.severity for each in audit(tmp_path, broken + numpy + end, "poetry.lock") if each.rule == "TL101"
    }
    assert severities == {"error"}


def test_hashes_of_another_file(tmp_path: Path) -> None:
    auditor = Auditor()
    right = next(iter(auditor.context(_empty()).digests("torchaudio", "2.5.1")))
    pin = "torchaudio==2.5.1 --hash=sha256:{}\nsoundfile==0.13.1\n"
    assert summary(audit(tmp_path, pin.format(right))) == []
    assert summary(audit(tmp_path, pin.format("0" * 64))) == [(1, "warning", "TL509")]


def _empty():  # type: ignore[no-untyped-def]
    from torchlock.manifests.document import Document

    return Document("requirements.txt", "requirements")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "torch==2.4.0+rocm6.3.4.git7cecbf6d\ntorchaudio==2.4.0+rocm6.3.4.git69d40773\n", id="AMD's own builds"
        ),
        pytest.param("torch==2.1.2+rocm6.1.3\ntorchvision==0.16.1+rocm6.1.3\n", id="AMD's pairs"),
        pytest.param("torch==2.5.0a0+872d972e41.nv24.08\ntorchaudio==2.5.0a0+56bc006\n", id="NVIDIA's"),
        pytest.param(
            "torch==2.1.2 ; python_version < '3.9'\ntorchaudio==2.1.2 ; python_version < '3.9'\n"
            "torch==2.5.1 ; python_version >= '3.9'\ntorchaudio==2.5.1 ; python_version >= '3.9'\n",
            id="a pair for each Python",
        ),
    ],
)
def test_what_a_tester_saw_condemned_is_left_alone(tmp_path: Path, text: str) -> None:
    assert summary(audit(tmp_path, text)) == []


def test_the_page_of_one_build(tmp_path: Path) -> None:
    page = "--index-url https://example.org/whl/cu121\n"
    assert summary(audit(tmp_path, page + "torch==2.5.1\ntorchaudio==2.5.1\n")) == []
    assert summary(audit(tmp_path, page + "torch==2.6.0\n")) == [(2, "error", "TL204")]


def test_a_comment_at_the_end_of_a_continued_line(tmp_path: Path) -> None:
    text = "torch==2.7.1\ntorchaudio==2.5.1 \\\n    --hash=sha256:{} # torchlock: ignore[TL101,TL509] own build\n"
    assert summary(audit(tmp_path, text.format("0" * 64))) == []


def test_constraints_by_themselves(tmp_path: Path) -> None:
    text = "torch==2.5.1\ntorchaudio==2.5.0\n"
    assert summary(audit(tmp_path, text, "constraints.txt")) == [(2, "warning", "TL101")]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("omegaconf==2.0.6", "PyYAML (>=5.1.*)"),
        ("OmegaConf == 2.0.5 ; python_version < '3.10'", "PyYAML (>=5.1.*)"),
        ("pandas==0.24.2", "pytz (>=2011k)"),
        ("pytorch_lightning[extra]==1.6.5", "torch (>=1.8.*)"),
    ],
)
def test_a_pin_of_a_release_that_pip_refuses(tmp_path: Path, line: str, value: str) -> None:
    [finding] = audit(tmp_path, f"{line}\n")
    assert (finding.rule, finding.severity) == ("TL511", "warning")
    assert f": it declares {value!r}, which is not a valid requirement" in finding.message


@pytest.mark.parametrize(
    "line", ["omegaconf==2.3.0", "omegaconf==2.0.0", "omegaconf>=2.0", "pytorch-lightning==1.8.4"]
)
def test_other_releases_are_left_alone(tmp_path: Path, line: str) -> None:
    assert audit(tmp_path, f"{line}\n") == []


def test_uv_has_its_own_way_with_such_a_release(tmp_path: Path) -> None:
    text = 'version = 1\n\n[[package]]\nname = "omegaconf"\nversion = "2.0.6"\nsource = { registry = "x" }\n'
    assert audit(tmp_path, text, "uv.lock") == []


def test_the_rule_knows_what_the_catalogue_knows() -> None:
    from torchlock.knowledge.releases import Catalogue
    from torchlock.knowledge.rules import Matrix, specifier_set

    catalogue, matrix = Catalogue(), Matrix()
    for name in catalogue.names():
        for release in catalogue.releases(name) or ():
            said = [each for each in matrix.about(name) if each.refused]
            known = any(specifier_set(each.when.specifier).contains(release.version) for each in said)
            assert known or not release.invalid, f"{name} {release.version}: {release.invalid}"


@pytest.mark.parametrize("torchaudio", ["torchaudio>=2", "torchaudio==2.2.0"])
def test_the_python_that_leaves_nothing_comes_before_the_conflict(tmp_path: Path, torchaudio: str) -> None:
    options = Options(pythons=(PythonVersion.parse("3.12"),), platforms=(Platform.parse("linux-x86_64"),))
    found = audit(tmp_path, f"torch<2\n{torchaudio}\n", options=options)
    assert summary(found) == [(1, "error", "TL403"), (2, "error", "TL101")]
    assert "torch<2 has no wheel for Python 3.12" in found[0].message
    assert found[0].remedy is not None and "torch==2.2.0" in found[0].remedy.summary
    assert summary(audit(tmp_path, f"torch<2\n{torchaudio}\n", options=LINUX_311))[0] == (2, "error", "TL101")
