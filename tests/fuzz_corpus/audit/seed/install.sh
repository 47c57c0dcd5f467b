#!/bin/sh
pip install torch==2.7.1 'torchaudio==2.5.1' -f https://example.org/whl/torch_stable.html
