@echo off
set V=2.7.1
if "%GPU%"=="1" (pip install torch==%V%+cu121 --index-url https://example.org/whl/cu121) else (
  pip install torch==%V% ^
    torchaudio==2.5.1)
