# The gateway as an image: one base, a virtual environment on it, nothing that builds or installs.

# Pin it for a release: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim

# checkov:skip=CKV_DOCKER_7: The tag is in PYTHON_IMAGE, which it does not look into.
# What changes seldom: the locked dependencies, each by its hash. Wheels alone: nothing is compiled.
FROM ${PYTHON_IMAGE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# What strip comes from stays in this stage, and so does not need to be a certain version.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/otel.txt requirements/
# The headers, type stubs, tests and debugging symbols of libraries serve nobody here, nor does
# zstandard's second backend, which is for PyPy. The bytecode is valid whatever a copy does to times:
# a read-only container starts with it.
RUN python -m venv --without-pip /opt/zoom-gateway \
    && python -m pip --python /opt/zoom-gateway/bin/python install \
        --require-hashes --only-binary=:all: --requirement requirements/otel.txt \
    && find /opt/zoom-gateway -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' \
        -o -name '*.[ch]' -o -path '*/zstandard/_cffi*' \) -delete \
    && find /opt/zoom-gateway -type d -name tests -prune -exec rm -r {} + \
    && find /opt/zoom-gateway -type f -name '*.so*' -exec strip --strip-unneeded {} + \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/zoom-gateway

# The wheel, built with locked tools, and installed by itself.
FROM dependencies AS program
COPY requirements/build.txt requirements/
RUN python -m venv --without-pip /tools \
    && python -m pip --python /tools/bin/python install \
        --require-hashes --only-binary=:all: --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
RUN /tools/bin/hatchling build --target wheel \
    && python -m pip --python /opt/zoom-gateway/bin/python install \
        --no-deps --no-index --prefix /program dist/*.whl \
    && python -m compileall -q --invalidation-mode unchecked-hash \
        -s /program -p /opt/zoom-gateway /program

# The same for what of Python's own library a gateway imports, where the base has none of it.
FROM ${PYTHON_IMAGE} AS imported
COPY --from=dependencies /opt/zoom-gateway /opt/zoom-gateway
COPY --from=program /program /opt/zoom-gateway
WORKDIR /imported
RUN touch /before \
    && /opt/zoom-gateway/bin/python -c "import gateway.cli.check, gateway.cli.demo, \
gateway.cli.status, gateway.cli.supervisor, gateway.stores.redis, gateway.stores.sealed" \
    && find /usr -name '*.pyc' -newer /before -print0 >/compiled \
    && tar -c --null -T /compiled -f /compiled.tar && tar -x -f /compiled.tar

FROM ${PYTHON_IMAGE}
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="zoom-gateway" \
    org.opencontainers.image.description="A reverse proxy in front of api.zoom.us that owns the Server-to-Server OAuth token, for a whole fleet." \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=dependencies /opt/zoom-gateway /opt/zoom-gateway
COPY --from=program /program /opt/zoom-gateway
COPY --from=imported /imported /
COPY config/image.yaml /etc/zoom-gateway/gateway.yaml
# ZOOM_GATEWAY_CONFIG is for `check` and `status`, too. From a published port a demo is reached only
# if it listens on more than loopback.
ENV PATH=/opt/zoom-gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ZOOM_GATEWAY_CONFIG=/etc/zoom-gateway/gateway.yaml \
    ZOOM_GATEWAY_DEMO_HOST=0.0.0.0
USER 65532:65532
EXPOSE 8080 9090
# It is well as long as it takes calls; what `status` calls degraded is no reason to restart it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["zoom-gateway", "status", "--ready"]
ENTRYPOINT ["zoom-gateway"]
CMD ["serve"]
