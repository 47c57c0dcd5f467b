"""What Windows says in other languages is read as its English text, wherever a log shows it."""

from __future__ import annotations

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of
from torchlock.check.windows_words import in_english

MODULE, PROCEDURE, IMAGE, START = "TL610", "TL611", "TL608", "TL618"
REFUSED, MEMORY = "TL621", "TL311"
SAID = (
    (MODULE, "Das angegebene Modul wurde nicht gefunden."),
    (MODULE, "Le module spécifié est introuvable."),
    (MODULE, "No se puede encontrar el módulo especificado."),
    (MODULE, "Impossibile trovare il modulo specificato."),
    (MODULE, "Não foi possível encontrar o módulo especificado."),
    (MODULE, "Не найден указанный модуль."),
    (MODULE, "Nie można odnaleźć określonego modułu."),
    (MODULE, "找不到指定的模块。"),
    (MODULE, "找不到指定的模組。"),
    (MODULE, "指定されたモジュールが見つかりません。"),
    (MODULE, "지정된 모듈을 찾을 수 없습니다."),
    (PROCEDURE, "Die angegebene Prozedur wurde nicht gefunden."),
    (PROCEDURE, "La procédure spécifiée est introuvable."),
    (PROCEDURE, "No se encontró el proceso especificado."),
    (PROCEDURE, "Не найдена указанная процедура."),
    (PROCEDURE, "找不到指定的程序。"),
    (PROCEDURE, "指定されたプロシージャが見つかりません。"),
    (IMAGE, "%1 ist keine zulässige Win32-Anwendung."),
    (IMAGE, "%1 n'est pas une application Win32 valide."),
    (IMAGE, "%1 no es una aplicación Win32 válida."),
    (IMAGE, "%1 не является приложением Win32."),
    (IMAGE, "%1 不是有效的 Win32 应用程序。"),
    (IMAGE, "%1 は有効な Win32 アプリケーションではありません。"),
    (START, "Eine DLL-Initialisierungsroutine ist fehlgeschlagen."),
    (START, "Une routine d'initialisation d'une bibliothèque de liens dynamiques (DLL) a échoué."),
    (START, "动态链接库(DLL)初始化例程失败。"),
    (START, "動態連結程式庫 (DLL) 初始化例行程序失敗。"),
    (START, "Произошел сбой в программе инициализации библиотеки динамической компоновки (DLL)."),
    (START, "ダイナミック リンク ライブラリ (DLL) 初期化ルーチンの実行に失敗しました。"),
    (REFUSED, "Zugriff verweigert"),
    (REFUSED, "拒绝访问。"),
    (REFUSED, "Отказано в доступе."),
    (REFUSED, "Das Betriebssystem kann %1 nicht ausführen."),
    (MEMORY, "Die Auslagerungsdatei ist zu klein, um diesen Vorgang durchzuführen."),
    (MEMORY, "页面文件太小，无法完成操作。"),
)
TORCH = '  File "C:\\e\\Lib\\site-packages\\torch\\__init__.py", line 130, in <module>\n'


def first_of(text: str) -> str:
    log = read_log(text)
    found = by_log(context_of(log), log, [])
    return found[0].rule if found else ""


@pytest.mark.parametrize(("rule", "said"), SAID)
def test_an_import_that_windows_refuses_in_another_language(rule: str, said: str) -> None:
    """CTranslate2, triton-windows issue 26: only English texts, and those with a number, were known."""
    assert first_of(f"{TORCH}ImportError: DLL load failed while importing _C: {said}\n") == rule


@pytest.mark.parametrize(
    ("line", "english"),
    [
        ("[WinError 126] 找不到指定的模块。 x", "[WinError 126] The specified module could not be found。 x"),
        ("[WinError 5] Zugriff verweigert: 'c'", "[WinError 5] Access is denied: 'c'"),
        ("DLL load failed: 拒绝访问", "DLL load failed: [WinError 5] Access is denied"),
        ("Zugriff verweigert", "Zugriff verweigert"),
        ("DLL load failed: %1 is not a valid Win32 app", "DLL load failed: %1 is not a valid Win32 app"),
    ],
)
def test_the_english_text_of_a_line(line: str, english: str) -> None:
    assert in_english(line) == english


def test_the_line_of_the_log_is_quoted_as_it_is() -> None:
    line = "ImportError: DLL load failed while importing _C: 找不到指定的程序。"
    log = read_log(TORCH + line)
    (finding,) = by_log(context_of(log), log, [])
    assert finding.expected_error == line


@pytest.mark.parametrize(
    "line",
    [
        # The program is no part of the stack.
        "ImportError: DLL load failed while importing QtCore: Zugriff verweigert",
        "ImportError: DLL load failed while importing QtGui: Eine DLL-Initialisierungsroutine ist fehlgeschlagen.",
    ],
)
def test_a_library_of_others_is_left_alone(line: str) -> None:
    assert first_of(line) == ""
