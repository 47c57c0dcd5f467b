# /// script
# requires-python = ">=3.10"
# dependencies = [
#     "torch==2.7.1",
#     "torchaudio==2.5.1",
# ]
# ///
import torch
