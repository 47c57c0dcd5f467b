"""The parts of the bench with real inputs: from bundled data, and from the live index."""

from __future__ import annotations

from benching.rounds import Step, measure
from benching.running import Server
from benching.samples import Trial
from benching.setting import Setting

# Inputs that the bundled catalogue answers alone.
BUNDLED = (
    *("torch", "torch torchaudio", "torchaudio soundfile", "torch==2.3.1 torchaudio soundfile librosa"),
    *(
        "torch torchaudio torchcodec soundfile",
        "torch==2.8.0 torchaudio torchcodec",
        "torch==2.1.2 torchaudio numpy",
    ),
    *(
        "torch torchvision torchaudio",
        "librosa soundfile",
        "torchaudio librosa numba",
        "torch<2.6 torchaudio torchtext",
    ),
    *("torchaudio>=2.6 pandas", "torch torchaudio scikit-learn matplotlib", "torchaudio sentencepiece requests"),
    *("torch>=2.4,<2.8 torchvision torchaudio soundfile resampy", "torch torchdata pillow tqdm"),
)
# Inputs whose packages the index has to be asked for.
LIVE = (
    *("transformers", "datasets[audio]", "pyannote.audio", "gradio", "whisperx", "openai-whisper", "speechbrain"),
    *("lightning", "diffusers", "sentence-transformers", "accelerate", "fastapi uvicorn[standard]", "streamlit"),
    *("jupyterlab", "wandb", "torchmetrics[audio]"),
)


def lines(case: str) -> str:
    """The requirements file of a case."""
    return "".join(f"{each}\n" for each in case.split())


def bundled(setting: Setting) -> None:
    """Locks from the bundled catalogue, beside uv from its filled cache; neither touches the network.

    pip and pip-tools have no such mode: they have filled caches and ask the index.
    """
    files = {case: setting.requirements("bundled", case, lines(case)) for case in BUNDLED}
    trial = {
        (case, name): Trial("bundled", case, name, "warm" if name in setting.slow() else "offline")
        for case in BUNDLED
        for name in setting.tools
    }
    steps = {
        key: setting.step(each, files[key[0]], is_offline=each.state == "offline") for key, each in trial.items()
    }
    ours = [steps[case, name] for case in BUNDLED for name in setting.fast()]
    measure(ours, setting.runs, setting.store, setting.budget)
    slow = [steps[case, name] for case in BUNDLED for name in setting.slow()]
    measure(slow, 1, setting.store, setting.budget)


def live(setting: Setting, index: str) -> None:
    """Locks from the live index, with an empty cache and then with what that run has left.

    Times are taken from the index itself. Requests and bytes are counted in runs of their own, through a server
    that stands before ``index``, the address of the public index.
    """
    files = {case: setting.requirements("live", case, lines(case)) for case in LIVE}

    def steps(names: list[str], suffix: str = "", server: Server | None = None) -> list[Step]:
        return [
            setting.step(
                Trial("live", case, name, state + suffix),
                files[case],
                index=f"{server.address}/simple/" if server else "",
                server=server,
            )
            for case in LIVE
            for state in ("cold", "warm")
            for name in names
        ]

    measure(steps(setting.fast()), 1, setting.store, setting.budget)
    with Server("forwarding", index) as server:
        measure(steps(setting.fast(), ", counted", server), 1, setting.store, setting.budget)
    measure(steps(setting.slow()), 1, setting.store, setting.budget)
    measure(steps(setting.fast()), setting.runs, setting.store, setting.budget)
