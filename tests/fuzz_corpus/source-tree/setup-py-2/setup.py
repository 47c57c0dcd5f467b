import os, re, sys
from setuptools import setup, find_packages
here = os.path.dirname(__file__)
deps = ["torch>=2", *("numpy<2",)]
if sys.version_info < (3, 11):
    deps.append("tomli")
with open(os.path.join(here, "requirements.txt")) as f:
    more = [line.strip() for line in f if not line.startswith("#")]
setup(name="x", version="1.0", packages=find_packages(), install_requires=deps + more, extras_require={"a": ["b"]}, python_requires=">=3.9")
