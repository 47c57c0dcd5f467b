"""TL710: a package imports what another package outside the stack no longer has."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import install
from support.skeletons import Site

pytestmark = pytest.mark.sketched

SITE = "/usr/local/lib/python3.11/site-packages"
TRITON = f"""\
  File "{SITE}/bitsandbytes/__init__.py", line 15, in <module>
    from .nn import modules
  File "{SITE}/bitsandbytes/triton/int8_matmul_mixed_dequantize.py", line 12, in <module>
    from triton.ops.matmul_perf_model import early_config_prune, estimate_matmul_time
ModuleNotFoundError: No module named 'triton.ops'
"""
HUB = f"""\
  File "{SITE}/{{0}}/utils.py", line 28, in <module>
    from huggingface_hub import HfFolder, cached_download, hf_hub_download, model_info
ImportError: cannot import name 'cached_download' from 'huggingface_hub' ({SITE}/huggingface_hub/__init__.py)
"""


@pytest.fixture
def site(ground: Ground) -> Site:
    site = ground.linux("3.11")
    ground.torch(site, "2.6.0+cu124", made_for=[])
    return site


def package(site: Site, name: str, version: str, *files: str, source: str = "", headers: str = "") -> None:
    module = name.replace("-", "_")
    there: dict[str, bytes | str] = {f"{module}/{each}": "" for each in ("utils.py", *files)}
    install(site.path, name, version, {f"{module}/__init__.py": source, **there}, headers=headers)


@pytest.mark.parametrize("log", ["", TRITON])
@pytest.mark.parametrize(
    ("bitsandbytes", "triton"), [("0.44.1", "3.2.0"), ("0.44.1", "3.1.0"), ("0.45.5", "3.2.0")]
)
def test_bitsandbytes_with_a_triton_without_ops(
    ground: Ground, site: Site, bitsandbytes: str, triton: str, log: str
) -> None:
    """https://github.com/ostris/ai-toolkit/issues/279"""
    package(site, "triton", triton, *(["ops/__init__.py", "ops/matmul_perf_model.py"] if triton < "3.2" else []))
    package(site, "bitsandbytes", bitsandbytes)
    is_broken = (bitsandbytes, triton) == ("0.44.1", "3.2.0")
    done = ground.check(site, log=log if is_broken else "")
    if not is_broken:
        assert done.bad == []
        return
    assert (done.first.rule, done.first.packages) == ("TL710", ("bitsandbytes", "triton"))
    assert "imports triton.ops" in done.first.because
    assert done.command == 'python -m pip install "bitsandbytes>=0.45.1,<1"'


@pytest.mark.parametrize(
    ("user", "version", "command"),
    [
        ("sentence-transformers", "2.2.2", "sentence-transformers>=2.3,<3"),
        ("diffusers", "0.28.2", "diffusers>=0.29,<1"),
    ],
)
@pytest.mark.triggers("TL710")
def test_users_of_cached_download(ground: Ground, site: Site, user: str, version: str, command: str) -> None:
    package(site, "huggingface-hub", "0.26.2", source="def hf_hub_download(): ...\n")
    package(site, user, version)
    for log in ("", HUB.format(user.replace("-", "_"))):
        done = ground.check(site, log=log)
        assert done.first.rule == "TL710"
        assert done.command == f'python -m pip install "{command}"'


def test_a_package_without_a_later_release_takes_the_other_back(ground: Ground, site: Site) -> None:
    package(site, "transformers", "4.57.3")
    package(site, "TTS", "0.22.0")
    done = ground.check(site)
    assert done.first.rule == "TL710"
    assert done.command == 'python -m pip install "transformers<4.57"'


@pytest.mark.parametrize("declares", ["", "Requires-Dist: peculiar<2\n"])
def test_packages_that_no_rule_names(ground: Ground, site: Site, declares: str) -> None:
    """What the log shows and the files do not contradict."""
    package(site, "peculiar", "2.1")
    package(site, "user-of-it", "1.0", headers=declares)
    frame = f'  File "{SITE}/user_of_it/utils.py", line 3, in <module>\n    from peculiar.inner import thing\n'
    done = ground.check(site, log=f"{frame}ModuleNotFoundError: No module named 'peculiar.inner'\n")
    assert done.first.rule == "TL710"
    assert done.first.message == "user-of-it 1.0 imports peculiar.inner, which peculiar 2.1 does not have"
    if declares:
        assert done.command == 'python -m pip install "peculiar<2"'
    else:
        assert "later release of user-of-it" in done.first.remedy and not done.commands


@pytest.mark.leaves_alone("TL710")
@pytest.mark.parametrize(
    ("file", "source", "error"),
    [
        ("inner.py", "", "ModuleNotFoundError: No module named 'peculiar.inner'"),
        ("inner/__init__.py", "", "ModuleNotFoundError: No module named 'peculiar.inner'"),
        ("other.py", "def inner(): ...\n", "ImportError: cannot import name 'inner' from 'peculiar'"),
    ],
)
def test_files_that_have_the_name(ground: Ground, site: Site, file: str, source: str, error: str) -> None:
    """The log is then of another state, and nothing is said of this one."""
    package(site, "peculiar", "2.1", file, source=source)
    package(site, "user-of-it", "1.0")
    frame = f'  File "{SITE}/user_of_it/utils.py", line 3, in <module>\n    from peculiar import inner\n'
    assert ground.check(site, log=f"{frame}{error}\n").bad == []


TRACER = f"""\
  File "{SITE}/numba/misc/coverage_support.py", line 114, in <module>
    class NumbaTracer(coverage.types.Tracer):
AttributeError: module 'coverage.types' has no attribute 'Tracer'. Did you mean: 'TTracer'?
"""


@pytest.mark.parametrize("log", ["", TRACER])
@pytest.mark.parametrize(("coverage", "tracer"), [("7.0.5", "TTracer"), ("7.6.1", "Tracer")])
def test_numba_beside_coverage(ground: Ground, site: Site, coverage: str, tracer: str, log: str) -> None:
    """https://github.com/numba/numba/issues/10239"""
    package(site, "numba", "0.62.0")
    types = f"class {tracer}: ...\n"
    install(site.path, "coverage", coverage, {"coverage/__init__.py": "", "coverage/types.py": types})
    done = ground.check(site, log=log)
    if tracer == "Tracer":
        assert done.bad == []
        return
    assert done.first.rule == "TL710"
    assert done.first.packages == ("numba", "coverage")
    assert done.command == 'python -m pip install "coverage>=7.6.1"'


@pytest.mark.parametrize("defined", ["other", "thing"])
def test_an_attribute_that_no_table_names(ground: Ground, site: Site, defined: str) -> None:
    install(site.path, "peculiar", "2.1", {"peculiar/__init__.py": f"{defined} = 1\n"})
    package(site, "user-of-it", "1.0")
    frame = f'  File "{SITE}/user_of_it/utils.py", line 3, in <module>\n    peculiar.thing()\n'
    done = ground.check(site, log=f"{frame}AttributeError: module 'peculiar' has no attribute 'thing'\n")
    if defined == "thing":
        assert done.bad == []
        return
    assert done.first.rule == "TL710"
    assert done.first.message == "user-of-it 1.0 uses peculiar.thing, which peculiar 2.1 does not have"


PQMF = {
    "from scipy.signal import kaiser\n": "takes scipy.signal.kaiser",
    "import scipy.signal\nX = scipy.signal.kaiser(3, 1)\n": "takes scipy.signal.kaiser",
    "try:\n    from scipy.signal import kaiser\nexcept ImportError:\n    pass\n": "",
    "def f():\n    from scipy.signal import kaiser\n": "",
    "from scipy.signal.windows import kaiser\n": "",
}


@pytest.mark.parametrize("init", ["from .pqmf import *\n", ""])
@pytest.mark.parametrize(("source", "said"), PQMF.items())
@pytest.mark.parametrize("scipy", ["1.14.0", "1.12.0"])
def test_a_part_that_takes_what_is_gone(
    ground: Ground, site: Site, scipy: str, source: str, said: str, init: str
) -> None:
    """https://github.com/kan-bayashi/ParallelWaveGAN/issues/430"""
    name = "parallel_wavegan"
    code = {f"{name}/__init__.py": "", f"{name}/layers/__init__.py": init, f"{name}/layers/pqmf.py": source}
    install(site.path, name, "0.6.1", code, headers="Requires-Dist: torch>=1.0.1\n")
    windows = {"scipy/signal/windows/__init__.py": "def kaiser(): ...\n"}
    install(site.path, "scipy", scipy, {"scipy/__init__.py": "", "scipy/signal/__init__.py": "", **windows})
    done = ground.check(site)
    if not said or not init or scipy < "1.13":
        assert done.bad == []
        return
    assert done.first.rule == "TL710"
    assert f"the import of parallel_wavegan.layers, a part of parallel-wavegan 0.6.1, {said}" in done.first.message
    assert done.command == 'python -m pip install "scipy<1.13"'
