#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "torch==2.7.1",
#   "torchaudio==2.5.1",
# ]
# [tool.uv]
# exclude-newer = "2025-01-01T00:00:00Z"
# ///
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "pip", "install", "torch==" + "2.7.1"])
