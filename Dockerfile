# torchlock as a small image:  docker run --rm -v "$PWD:/src" torchlock audit
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY src src
COPY compat_data compat_data
COPY man man
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-compile --no-index --find-links /wheels /wheels/torchlock-*.whl \
    && useradd --create-home --uid 1000 torchlock
USER 1000
WORKDIR /src
ENTRYPOINT ["torchlock"]
CMD ["--help"]
