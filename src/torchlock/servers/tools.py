"""What an assistant may ask for: audit, check, explain and lock, with few arguments and the documented JSON."""

from typing import Any

from torchlock import api
from torchlock.errors import InputError


class Tools:
    """The tools. ``offline``: none of them asks a package index.

    The annotations and docstrings of the methods are the descriptions that an assistant reads.
    """

    def __init__(self, *, offline: bool = False) -> None:
        self._offline = offline

    def audit_text(
        self,
        content: str,
        name: str = "requirements.txt",
        python: str | None = None,
        platform: str | None = None,
        accelerator: str | None = None,
    ) -> dict[str, Any]:
        """Find requirements that will not install or load in the text of one file of a PyTorch project.

        name: the file name, which decides the format: requirements.txt, pyproject.toml, environment.yml,
        Dockerfile, uv.lock, a workflow, a notebook. python: like 3.12. platform: like linux-x86_64, macos-arm64 or
        windows-x86_64. accelerator: the build of torch, like cpu, cu128 or rocm6.4. Returns findings with rule,
        line, cause and fix.
        """
        return api.audit_text(content, name, python=python, platform=platform, accelerator=accelerator).to_dict()

    def audit_files(
        self,
        paths: list[str],
        recursive: bool = False,
        python: str | None = None,
        platform: str | None = None,
        accelerator: str | None = None,
    ) -> dict[str, Any]:
        """Find requirements that will not install or load in files and folders. Nothing is changed.

        recursive: also look into the folders of a folder. The other arguments are those of audit_text.
        """
        found = api.audit(*paths, recursive=recursive, python=python, platform=platform, accelerator=accelerator)
        return found.to_dict()

    def fix_text(self, content: str, name: str = "requirements.txt", strict: bool = False) -> str:
        """The text of a file after the fewest changes that remove the errors of audit_text. No file is written.

        strict: warnings are fixed, too.
        """
        return api.fix_text(content, name, strict=strict)

    def check(self, log: str | None = None, path: str | None = None) -> dict[str, Any]:
        """Say why torch, torchaudio, torchvision, torchcodec or soundfile fail, and which command fixes it.

        log: the text that was printed: a traceback, or the output of pip, uv or conda. path: the folder of a
        virtual environment, or its site-packages, which is only read; nothing in it is started. Give one or both.
        """
        if log is None and path is None:
            raise InputError("nothing to check", hint="give the text of a log, or the folder of an environment")
        return api.check(log_text=log, path=path).to_dict()

    def explain(
        self,
        requirements: list[str],
        python: str | None = None,
        platform: str | None = None,
        accelerator: str | None = None,
    ) -> dict[str, Any]:
        """Say why requirements like torch==2.9.1 and torchaudio==2.8.0 work together or conflict.

        requirements: lines of a requirements file, or one rule like TL101, which is described.
        """
        return api.explain(
            *requirements, python=python, platform=platform, accelerator=accelerator, offline=self._offline
        ).to_dict()

    def lock(
        self,
        requirements: list[str],
        python: str | None = None,
        platform: str | None = None,
        accelerator: str | None = None,
    ) -> dict[str, Any]:
        """Resolve requirements into releases that load together, as a pinned, hashed requirements file.

        The file is the text of the result: nothing is written or installed. Without a solution, text is null and
        the target says why.
        """
        found = api.lock(
            *requirements,
            python=python or (),
            platform=platform or (),
            accelerator=accelerator or (),
            offline=self._offline,
        )
        return {"text": found.text if found.ok else None, **found.to_dict()}
