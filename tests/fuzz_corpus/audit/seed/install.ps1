$v = "2.7.1"
if ($env:GPU) { pip install "torch==$v+cu121" `
  --index-url https://example.org/whl/cu121 }
& python -m pip install torchaudio==2.5.1; pip install @packages
