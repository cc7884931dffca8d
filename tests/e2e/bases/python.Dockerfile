# Stands in for python:3.x-slim where no registry can be reached: Debian's own Python.
FROM migration-sidecar-e2e/base
RUN apt-get update -q \
    && apt-get install -qy --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
