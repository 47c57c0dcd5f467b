"""The names in mangled C++ symbols."""

from __future__ import annotations

import pytest

from torchlock.inspect.binaries.cxx_names import demangled


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("_ZN5torch3jit17parseSchemaOrNameERKSs", "torch::jit::parseSchemaOrName"),
        ("_ZNK5torch8autograd4Node4nameEv", "torch::autograd::Node::name"),
        ("__ZN3c1013MessageLoggerC1EPKcii", "c10::MessageLogger::MessageLogger"),
        ("_ZN3c105ErrorD2Ev", "c10::Error::~Error"),
        ("_ZN3c10eqERKNS_6SymIntES2_", "c10::operator=="),
        ("_ZNK3c106SymIntltERKS0_", "c10::SymInt::operator<"),
        ("_ZTVN5torch3jit4NodeE", "the vtable of torch::jit::Node"),
        ("?_def@Library@torch@@QEAAAEAV12@XZ", "torch::Library::_def"),
        ("??0SymInt@c10@@QEAA@XZ", "c10::SymInt::SymInt"),
        ("??1Error@c10@@UEAA@XZ", "c10::Error::~Error"),
        ("??8c10@@YA_NAEBVx@1@@Z", "c10::operator=="),
        ("??_7Error@c10@@6B@", "the vtable of c10::Error"),
        ("iJIT_NotifyEvent", "iJIT_NotifyEvent"),
        ("_Zfoo", "_Zfoo"),
    ],
)
def test_the_names_in_a_symbol(symbol: str, name: str) -> None:
    assert demangled(symbol) == name
