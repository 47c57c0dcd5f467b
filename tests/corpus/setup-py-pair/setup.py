from setuptools import setup

setup(
    name='speech',
    install_requires=[
        'torch==2.7.1',
        'torchaudio==2.5.1',
    ],
)
