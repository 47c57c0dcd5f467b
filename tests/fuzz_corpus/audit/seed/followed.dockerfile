FROM python:3.11
WORKDIR /app
COPY ["pyproject.toml", "requirements.txt", "./"]
COPY src/ src/
RUN cd src && pip install -e .[audio] && uv pip install -r pyproject.toml --all-extras
RUN git clone https://example.org/a/b /b && cd /b && pip install .
RUN conda env update -f environment.yml
