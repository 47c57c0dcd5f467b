from setuptools import setup
R = ['torch==2.7.1']
setup(install_requires=R + ['torchaudio==2.5.1'])
