# One image for the bot, the panel and the worker: the command says which. No compiler, no shell
# tricks, no root: the user is 10001, and only /app/data and /tmp are written to.
ARG BASE=python:3.12.7-slim-bookworm@sha256:032c52613401895aa3d418a4c563d2d05f993bc3ecc065c8f4e2280978acd249

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --require-hashes --only-binary=:all: -r requirements.txt \
    && /venv/bin/pip uninstall --yes pip \
    && /usr/local/bin/python -m compileall -q /venv/lib

FROM ${BASE}
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production ADMIN_HOST=0.0.0.0 MALLOC_ARENA_MAX=2
WORKDIR /app
RUN groupadd --gid 10001 steadygram \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin steadygram \
    && install --directory --owner=10001 --group=10001 --mode=0700 /app/data \
    && /usr/local/bin/python -m pip uninstall --yes pip
COPY --from=build /venv /venv
COPY . .
USER 10001:10001
VOLUME /app/data
STOPSIGNAL SIGTERM
# The panel's container has a check of its own in docker-compose.yml.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-m", "deploy.alive", "metrics"]
CMD ["python", "-m", "bot", "run"]
