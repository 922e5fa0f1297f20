# The webserver and the daemon: Dagster alone, none of our code. Built from the repository's root:
#   docker build -f deploy/compose/host.Dockerfile -t twd-host:TAG .

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /build
COPY deploy/local/bootstrap-requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r bootstrap-requirements.txt \
    && uv venv --python "$(command -v python)" /opt/venv
COPY deploy/compose/host-requirements.txt ./
RUN uv pip install --no-cache --python /opt/venv --require-hashes -r host-requirements.txt

FROM ${PYTHON_IMAGE}
# The same user as in the code servers' images: they write the logs that the webserver shows.
RUN groupadd --gid 10001 twd && useradd --no-create-home --uid 10001 --gid 10001 twd \
    && install -d -o 10001 -g 10001 /opt/dagster /var/lib/twd /var/lib/twd/compute_logs /var/lib/twd/artifacts
COPY --from=build /opt/venv /opt/venv
COPY dagster.yaml workspace.yaml /opt/dagster/
COPY deploy/compose/python-logs.yaml /tmp/
RUN cat /tmp/python-logs.yaml >> /opt/dagster/dagster.yaml
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2 DAGSTER_HOME=/opt/dagster
USER 10001
WORKDIR /var/lib/twd
EXPOSE 3000
CMD ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-w", "/opt/dagster/workspace.yaml"]
