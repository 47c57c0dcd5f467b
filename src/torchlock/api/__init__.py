"""The public functions of torchlock: typed, without output, exit or state that is shared between calls.

This module is what a program may rely on (docs/api.md). It follows semantic versioning: a name of ``__all__``, a
keyword, or a field of a result goes away or changes its meaning only with a new major version, from 1.0 on.
"""

from torchlock.api.answers import explain, matrix
from torchlock.api.environments import check
from torchlock.api.files import audit, audit_text, fix_text
from torchlock.api.locks import lock
from torchlock.api.results import (
    AuditedFile,
    AuditResult,
    CheckResult,
    Evidence,
    ExplainResult,
    Explanation,
    File,
    LockedPackage,
    LockedTarget,
    LockResult,
    MatrixCell,
    MatrixResult,
    OutputFile,
    Result,
)
from torchlock.api.values import Change, Command, Finding, Message, Package, Remedy, Source
from torchlock.errors import DataError, InputError, NetworkError, TorchlockError, Undecided, UnknownPackage

__all__ = [
    "AuditResult",
    "AuditedFile",
    "Change",
    "CheckResult",
    "Command",
    "DataError",
    "Evidence",
    "ExplainResult",
    "Explanation",
    "File",
    "Finding",
    "InputError",
    "LockResult",
    "LockedPackage",
    "LockedTarget",
    "MatrixCell",
    "MatrixResult",
    "Message",
    "NetworkError",
    "OutputFile",
    "Package",
    "Remedy",
    "Result",
    "Source",
    "TorchlockError",
    "Undecided",
    "UnknownPackage",
    "audit",
    "audit_text",
    "check",
    "explain",
    "fix_text",
    "lock",
    "matrix",
]
