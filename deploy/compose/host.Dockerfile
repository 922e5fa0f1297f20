# The webserver and the daemon: Dagster, its launchers of runs and ours, no code of a location. Built from the
# repository's root:
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
# For its launcher alone, which needs nothing but what is there by now.
COPY libs/twd_shared libs/twd_shared
RUN uv pip install --no-cache --offline --python /opt/venv --no-deps ./libs/twd_shared
COPY dagster.yaml deploy/compose/instance.py deploy/compose/python-logs.yaml deploy/compose/docker-runs.yaml ./
RUN mkdir /opt/dagster /opt/docker-runs \
    && /opt/venv/bin/python instance.py dagster.yaml python-logs.yaml > /opt/dagster/dagster.yaml \
    && /opt/venv/bin/python instance.py dagster.yaml python-logs.yaml docker-runs.yaml > /opt/docker-runs/dagster.yaml

FROM ${PYTHON_IMAGE}
# The same user as in the code servers' images: they write the logs that the webserver shows.
RUN groupadd --gid 10001 twd && useradd --no-create-home --uid 10001 --gid 10001 twd \
    && install -d -o 10001 -g 10001 /var/lib/twd /var/lib/twd/compute_logs /var/lib/twd/artifacts
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/dagster /opt/dagster
COPY --from=build /opt/docker-runs /opt/docker-runs
COPY workspace.yaml /opt/dagster/
COPY deploy/compose/with-secrets /usr/local/bin/
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2 DAGSTER_HOME=/opt/dagster
USER 10001
WORKDIR /var/lib/twd
EXPOSE 3000
ENTRYPOINT ["with-secrets"]
CMD ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-w", "/opt/dagster/workspace.yaml"]
