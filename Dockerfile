# Last Word, and the Prefect that it runs with: one image for server, worker and all commands.
#   docker build -t lastword .
# Runs as user 10001 and needs to write to /var/lib/lastword and /tmp only: `--read-only` is meant.
FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/lastword /opt/build
WORKDIR /src
# What changes seldom comes first. Hashes are checked; nothing is downloaded without one.
COPY requirements/ requirements/
RUN /opt/build/bin/pip install --require-hashes -r requirements/uv.txt -r requirements/build.txt \
    && /opt/build/bin/uv pip install --no-cache --python /opt/lastword/bin/python \
        --compile-bytecode --require-hashes -r requirements/run.txt
COPY pyproject.toml prefect.yaml README.md LICENSE ./
COPY cli/ cli/
COPY flows/ flows/
COPY tasks/ tasks/
COPY lastword/ lastword/
COPY models/ models/
COPY deployments/ deployments/
RUN /opt/build/bin/uv pip install --no-cache --python /opt/lastword/bin/python --no-deps \
        --compile-bytecode "$(/opt/build/bin/hatchling build -t wheel -d /tmp/dist | tail -n 1)"

FROM python:3.13-slim-trixie
# pg_dump, pg_restore and psql: `lastword backup` and `restore` on PostgreSQL.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --home-dir /var/lib/lastword lastword \
    && install -d -o lastword -g lastword -m 0700 /var/lib/lastword
COPY --from=build /opt/lastword /opt/lastword
ENV PATH=/opt/lastword/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LASTWORD_DATA_DIR=/var/lib/lastword
USER 10001
WORKDIR /var/lib/lastword
VOLUME /var/lib/lastword
STOPSIGNAL SIGTERM
# Of `lastword up`; `lastword hold` answers at a port of its own.
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8098/ready', timeout=8)"]
ENTRYPOINT ["lastword"]
CMD ["up"]
