"""An environment.yml for conda: Python and the system libraries from conda-forge, the pins by pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.knowledge import systems
from torchlock.report.emit.constraints import pin_lines
from torchlock.report.emit.subject import of_one_target

if TYPE_CHECKING:
    from torchlock.report.emit.subject import Subject

USE = """\
Use it with: conda env create --name NAME --file FILE
torch and its partners come from the index of pip, for which they are locked; conda's own builds are others."""


def render(subject: Subject) -> str:
    """conda installs Python and the libraries of the system; pip installs the pins.

    Raises:
        InputError: there are several targets.
    """
    of_one_target(subject, "conda")
    forge = systems.load("conda-forge")
    libraries: dict[str, str] = {}
    for note in [*subject.libraries("needs"), *subject.libraries("wants")]:
        library = forge.libraries.get(note.library)
        for package in library.packages if library is not None else ():
            # conda-forge has older releases, too: the versions are a bound.
            libraries.setdefault(package, package + (note.specifier if package == note.library else ""))
    options = [line for line in subject.options if not line.startswith("#")]
    return "\n".join(
        [
            *subject.header(USE),
            *subject.optional(),
            "",
            "channels:",
            "  - conda-forge",
            "  - nodefaults",
            "dependencies:",
            f"  - python={subject.python}",
            *(f"  - {_yaml(library)}" for library in sorted(libraries.values())),
            "  - pip",
            "  - pip:",
            *(f"      - {_yaml(line)}" for line in [*options, *pin_lines(subject)]),
            "",
        ]
    )


def _yaml(text: str) -> str:
    """A YAML scalar; quoted where YAML would read more than text."""
    plain = all(
        character.isalnum() or character in "=.<>,_+/" or (character == "-" and place)
        for place, character in enumerate(text)
    )
    return text if plain and text[0].isalnum() else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
