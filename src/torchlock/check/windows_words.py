"""What Windows says of an error of its loader, in the language of the system: the English text for each.

Python prints this text, and some messages ("DLL load failed while importing …") have no number beside it.
"""

from __future__ import annotations

import re

# The English text with its number, and how it reads in German, French, Spanish, Italian, Portuguese, Russian,
# Ukrainian, Polish, Turkish, Chinese, Japanese and Korean ("System Error Codes").
_TEXTS = tuple(
    (text, re.compile("|".join(words), re.IGNORECASE))
    for text, words in (
        (
            "[WinError 126] The specified module could not be found",
            (
                r"angegebene Modul wurde nicht gefunden",
                r"module sp.cifi. est introuvable",
                r"encontrar el m.dulo especificado|encontr. el m.dulo especificado",
                r"trovare il modulo specificato",
                r"encontrar o m.dulo especificado",
                r"Не найден указанный модуль|Не знайдено вказаний модуль",
                r"odnale.. okre.lonego modu.u",
                r"Belirtilen mod.l bulunamad",
                r"找不到指定的模[块組组]",
                r"指定されたモジュールが見つかりません",
                r"지정된 모듈을 찾을 수 없습니다",
            ),
        ),
        (
            "[WinError 127] The specified procedure could not be found",
            (
                r"angegebene Prozedur wurde nicht gefunden",
                r"proc.dure sp.cifi.e est introuvable",
                r"(?:procedimiento|proceso) especificado",
                r"procedura specificata",
                r"procedimento especificado",
                r"Не найдена указанная процедура|Не знайдено вказану процедуру",
                r"okre.lonej procedury",
                r"Belirtilen yordam bulunamad",
                r"找不到指定的程序",
                r"指定されたプロシージャ",
                r"지정된 프로시저",
            ),
        ),
        (
            "[WinError 1114] A dynamic link library (DLL) initialization routine failed",
            (
                r"DLL-Initialisierungsroutine",
                r"routine d.initialisation d.une biblioth",
                r"rutina de inicializaci.n de biblioteca",
                r"inizializzazione della libreria di collegamento",
                r"rotina de inicializa..o da biblioteca",
                r"инициализации библиотеки динамич",
                r"procedura inicjowania biblioteki",
                r"初始化例行程序|初始化例程",
                r"初期化ルーチン",
                r"초기화 루틴",
            ),
        ),
        ("[WinError 193] %1 is not a valid Win32 application", (r"%1(?! is not a valid)[^%\n]{1,40}Win32",)),
        (
            "[WinError 182] The operating system cannot run %1",
            (
                r"Betriebssystem kann %1 nicht",
                r"syst.me d.exploitation ne peut pas ex.cuter %1",
                r"sistema operativo no puede ejecutar %1",
                r"sistema operativo non .{1,20}%1",
                r"sistema operacional n.o .{1,20}%1",
                r"Операционн\w{2,4} систем\w{1,3} не .{1,30}%1",
                r"操作系统无法运行|作業系統無法執行",
                r"オペレーティング システムは %1",
                r"운영 체제에서 %1",
            ),
        ),
        (
            "[WinError 5] Access is denied",
            (
                r"Zugriff verweigert",
                r"Acc.s refus",
                r"Acceso denegado",
                r"Accesso negato",
                r"Acesso negado",
                r"Отказано в доступе|Відмовлено в доступі",
                r"Odmowa dost.pu",
                r"Erişim engellendi",
                r"拒绝访问|存取被拒",
                r"アクセスが拒否されました",
                r"액세스가 거부되었습니다",
            ),
        ),
        (
            "[WinError 1455] The paging file is too small for this operation to complete",
            (
                r"Auslagerungsdatei ist zu klein",
                r"fichier de pagination est insuffisant",
                r"archivo de paginaci.n es demasiado peque",
                r"[Ff]ile di paging insufficiente",
                r"arquivo de pagina..o . (?:muito|pequeno)",
                r"Файл подкачки слишком мал",
                r"Plik stronicowania jest zbyt ma",
                r"页面文件太小|頁面檔(?:案)?(?:過|太)小|分頁檔太小",
                r"ページング ファイルが小さすぎる",
                r"페이징 파일이 너무 작",
            ),
        ),
    )
)
_SAID = re.compile(r"WinError|DLL load failed|%1")


def in_english(line: str) -> str:
    """A line with the English text, and the number of the error, for what Windows says in another language.

    A line that does not show an error of Windows, or shows it in English, is returned as it is.
    """
    if _SAID.search(line) is None:
        return line
    for text, words in _TEXTS:
        if (match := words.search(line)) is not None:
            before = line[: match.start()]
            # The sentence begins behind the number, or behind what Python says.
            begin = max(before.rfind("] "), before.rfind(": ")) + 2
            before = before[:begin] if begin > 1 else before
            said = text.partition("] ")[2] if "WinError" in before else text
            return f"{before}{said}{line[match.end() :]}"
    return line
