# One file for every image: docker build --build-arg SERVICE=gateway -t telecine/gateway .
# SERVICE: gateway, credits, generation, storage, emulator, or operator (the `telecine` command and the auditor).
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_CACHE_DIR=/cache PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY deploy/requirements deploy/requirements
RUN --mount=type=cache,target=/cache python -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --require-hashes -r deploy/requirements/build.txt
ARG SERVICE
RUN test -f "deploy/requirements/${SERVICE}.txt" || { echo "no such SERVICE: '${SERVICE}'" >&2; exit 1; }
RUN --mount=type=cache,target=/cache python -m venv /opt/telecine \
    && /opt/telecine/bin/pip install --quiet --require-hashes -r "deploy/requirements/${SERVICE}.txt"
COPY LICENSE LICENSE
COPY contracts contracts
COPY jetstream jetstream
COPY chassis chassis
COPY services services
COPY emulator emulator
COPY auditor auditor
COPY cli cli
RUN case "${SERVICE}" in \
      emulator) folders="emulator" ;; \
      operator) folders="contracts jetstream chassis services/* emulator auditor cli" ;; \
      *) folders="contracts jetstream chassis services/${SERVICE}" ;; \
    esac \
    && for folder in $folders; do /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels "./$folder"; done \
    && /opt/telecine/bin/pip install --quiet --no-deps --no-index /wheels/*.whl \
    && /opt/telecine/bin/pip uninstall --quiet --yes pip \
    && find /opt/telecine -name tests -type d -prune -exec rm -rf {} + \
    && /opt/telecine/bin/python -m compileall -q /opt/telecine/lib \
    && printf '%s: %s of code in /opt/telecine\n' "${SERVICE}" "$(du -sh /opt/telecine | cut -f1)"

FROM ${PYTHON_IMAGE}
ARG SERVICE
ENV PATH=/opt/telecine/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2 SERVICE=${SERVICE}
COPY --from=build /opt/telecine /opt/telecine
# Any user may run it; /data is for SQLite, where no other database is named.
RUN mkdir /data /checkpoints && chown 65532:65532 /data /checkpoints
USER 65532:65532
WORKDIR /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["/bin/sh", "-c", "case $SERVICE in operator) exec telecine \"$@\" ;; *) exec python -m telecine_$SERVICE \"$@\" ;; esac", "telecine"]
