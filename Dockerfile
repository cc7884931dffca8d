# The sidecar, without a manifest: `FROM` it and COPY one, or mount one (compose/README.md).
# Builds with BuildKit and with the classic builder, on Debian's Python and on the official one.
ARG PYTHON_IMAGE=python:3.14-slim

FROM ${PYTHON_IMAGE} AS build
# Of the files' times nothing but this may reach the image: the same input, the same layers.
ARG SOURCE_DATE_EPOCH=0
# `mysql` adds the driver of MySQL and MariaDB (docs/databases.md).
ARG REQUIREMENTS=run
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/build.txt requirements/${REQUIREMENTS}.txt ./
# pip and the build backend live in an environment of their own: what is shipped has neither.
RUN python3 -m venv tools \
    && tools/bin/pip install --quiet --no-deps --require-hashes -r build.txt \
    && python3 -m venv --without-pip /opt/sidecar \
    && tools/bin/pip --python /opt/sidecar/bin/python install --quiet --no-deps --require-hashes -r "${REQUIREMENTS}.txt"
COPY pyproject.toml README.md LICENSE ./
COPY sidecar sidecar
COPY tools/sbom.py ./
RUN tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python /opt/sidecar/bin/python install --quiet --no-deps dist/*.whl \
    && tools/bin/pip --python /opt/sidecar/bin/python check
WORKDIR /opt/sidecar
# What stands alone gets a path that no Python version is part of; the baker is a copy, which any
# Python may run. Byte code is compiled now, since nothing can be written later, and checked
# against nothing, so that it carries no time.
RUN ln -s lib/python3*/site-packages/sidecar/healthcheck.py . \
    && cp -r lib/python3*/site-packages/sidecar/baker . \
    && find . -name direct_url.json -delete \
    && bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash lib \
    && cp lib/python3*/site-packages/sidecar/__pycache__/healthcheck.*.pyc healthcheck.pyc \
    && bin/python -I /build/sbom.py > sbom.cdx.json \
    && find . -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM ${PYTHON_IMAGE}
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="migration-sidecar" \
      org.opencontainers.image.description="Lets traffic reach a Django app only after its database schema is current." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The base brings pip, or a wheel of it for making environments: no way to install anything here.
RUN find / -xdev \( -name pip -o -name 'pip-*' -o -name 'pip[0-9]*' -o -name ensurepip \
        -o -name python-wheels \) -prune -exec rm -rf {} +
COPY --from=build /opt/sidecar /opt/sidecar
ENV PATH=/opt/sidecar/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /
# A number, since Kubernetes' runAsNonRoot cannot know a name; any other works as well.
USER 65532:65532
EXPOSE 8089
STOPSIGNAL SIGTERM
# No start period: since Docker 25 that would check only every 5 s, and an old compose file cannot
# change that. Instead the retries outlast the longest migration: 1800 × 2 s are an hour.
# As byte code, since Python would compile a program that it is given anew at each start.
HEALTHCHECK --interval=2s --timeout=2s --retries=1800 \
    CMD ["/opt/sidecar/bin/python", "-I", "-S", "/opt/sidecar/healthcheck.pyc"]
ENTRYPOINT ["sidecar"]
CMD ["serve"]
