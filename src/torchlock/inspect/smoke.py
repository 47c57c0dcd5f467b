"""The smoke test itself, run as text by the environment's interpreter: plain Python 3.6, no import of ours.

Every step is announced, then answered, each as one line of JSON in the file that the first argument names, so that
a crash shows its step. The second argument has the names of the packages to import, with commas between them.
Further arguments are steps to leave out.
"""

import io
import json
import os
import sys
import tempfile
import traceback
import wave

out = open(sys.argv[1], "a")
packages = sys.argv[2].split(",")
left_out = set(sys.argv[3:])
RATE = 16000


def say(**words):
    out.write(json.dumps(words) + "\n")
    out.flush()


def skipped(name, why):
    say(step=name, state="skipped", text=why)


def step(name, work):
    """Take one step; its answer, None where there is none."""
    if name in left_out:
        return None
    say(step=name, state="begun")
    try:
        answer = work()
    except BaseException as error:
        lines = traceback.format_exc()[-4000:]
        say(step=name, state="failed", text=told(error), trace=lines)
        return None
    say(step=name, state="ok", text="" if answer is None else str(answer)[:500])
    return answer


def told(error):
    """The error, and the one at its root."""
    text = "%s: %s" % (type(error).__name__, str(error)[:2000])
    root, depth = error, 0
    while (root.__cause__ or root.__context__) and depth < 20:
        root, depth = root.__cause__ or root.__context__, depth + 1
    if root is not error and str(root) not in text:
        text += " (from %s: %s)" % (type(root).__name__, str(root)[:2000])
    return text


def imported(name):
    def work():
        module = __import__(name)
        for part in name.split(".")[1:]:
            module = getattr(module, part)
        return str(getattr(sys.modules[name.split(".")[0]], "__version__", ""))

    return work


def codec():
    """Import torchcodec. Its error names every attempt, often with no reason: the loader is asked for it."""
    try:
        return imported("torchcodec.decoders")()
    except RuntimeError as error:
        words = list(loader_words("torchcodec"))
        if "Could not load libtorchcodec" not in str(error) or not words:
            raise
    raise RuntimeError("\n".join(["Could not load libtorchcodec"] + words))


def loader_words(package):
    import ctypes
    import importlib.util

    for folder in importlib.util.find_spec(package).submodule_search_locations:
        for name in sorted(os.listdir(folder), reverse=True):
            if "_core" in name and name.endswith((".so", ".dylib", ".dll")):
                try:
                    ctypes.CDLL(os.path.join(folder, name))
                except OSError as error:
                    yield "%s: %s" % (name, str(error)[:300])


def build():
    import torch

    version = getattr(torch, "version", None)
    if getattr(version, "hip", None):
        return "ROCm %s" % version.hip
    return "CUDA %s" % version.cuda if getattr(version, "cuda", None) else "CPU"


def is_there(name):
    try:
        import importlib.util

        return importlib.util.find_spec(name) is not None
    except Exception:
        return False


def resample():
    import torch
    import torchaudio

    noise = torch.randn(1, RATE)
    length = torchaudio.transforms.Resample(RATE, RATE // 2)(noise).shape[-1]
    if length != RATE // 2:
        raise AssertionError("%d samples instead of %d" % (length, RATE // 2))
    return "%d samples" % length


def bridge():
    import torch

    torch.from_numpy(torch.ones(2).numpy())


def cuda():
    import torch

    return "available" if torch.cuda.is_available() else "not available"


def sound():
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * RATE))
    return content.getvalue()


def recording(folder):
    """The path of a small WAV file, made in this folder."""
    path = os.path.join(folder, "in.wav")
    with open(path, "wb") as file:
        file.write(sound())
    return path


def load_and_save(folder, backend):
    def work():
        import torch
        import torchaudio

        path = recording(folder)
        chosen = {"backend": backend} if backend else {}
        wave_form, rate = torchaudio.load(path, **chosen)
        if rate != RATE or tuple(wave_form.shape) != (1, RATE):
            raise AssertionError("loaded %r at %r" % (tuple(wave_form.shape), rate))
        torchaudio.save(os.path.join(folder, "out.wav"), torch.zeros(1, RATE), RATE, **chosen)

    return work


def read_and_write(folder):
    def work():
        import soundfile

        path = recording(folder)
        data, rate = soundfile.read(path)
        soundfile.write(os.path.join(folder, "out.wav"), data, rate)
        return soundfile.__libsndfile_version__

    return work


def decode(folder):
    def work():
        from torchcodec.decoders import AudioDecoder

        path = recording(folder)
        samples = AudioDecoder(path).get_all_samples()
        if is_there("torchcodec.encoders"):  # since 0.5
            from torchcodec.encoders import AudioEncoder

            AudioEncoder(samples.data, sample_rate=RATE).to_file(os.path.join(folder, "out.wav"))

    return work


def backends():
    """The backends that torchaudio can be asked for by name; "" is its own choice."""
    import torchaudio

    listed = list(torchaudio.list_audio_backends())
    version = tuple(int(part) for part in torchaudio.__version__.split("+")[0].split(".")[:2])
    return listed if version >= (2, 1) else [""] if listed else []


def loads_and_saves(folder):
    import torchaudio

    if hasattr(torchaudio, "list_audio_backends"):
        names = step("torchaudio.list_audio_backends", backends)
        if names == []:
            skipped("load and save", "torchaudio has no backend")
    elif is_there("torchcodec"):
        names = [""]
    else:
        names = []
        skipped("load and save", "torchcodec is not installed")
    for name in names or []:
        step("load and save" + (" by " + name if name else ""), load_and_save(folder, name))


def imports():
    """Import what is there; the names that did."""
    done = set()
    for package in packages:
        name = "torchcodec.decoders" if package == "torchcodec" else package  # which opens its libraries
        if not is_there(package):
            skipped("import " + name, "not installed")
        elif name not in ("torch", "soundfile") and is_there("torch") and "torch" not in done:
            skipped("import " + name, "torch is not imported")
        elif step("import " + name, codec if package == "torchcodec" else imported(name)) is not None:
            done.add(name)
    return done


def main():
    if os.name == "nt":  # a crash shall not ask a user what to do
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(0x8003)
    folder = tempfile.mkdtemp()
    try:
        done = imports()
        if "torch" in done:
            step("build", build)
            if is_there("numpy"):
                step("numpy", bridge)
            else:
                skipped("numpy", "not installed")
        if "torchaudio" in done:
            step("resample", resample)
            loads_and_saves(folder)
        if "soundfile" in done:
            step("soundfile", read_and_write(folder))
        if "torchcodec.decoders" in done:
            step("torchcodec", decode(folder))
        if "torch" in done:
            step("cuda", cuda)
        say(step="end", state="ok")
    finally:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


main()
