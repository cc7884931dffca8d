# A machine on which nothing was ever made: what README asks for, git to clone with, and a person.
ARG DEBIAN_IMAGE=debian:13-slim
FROM ${DEBIAN_IMAGE}
# Whatever version the release has is the one to try.
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -qy --no-install-recommends git make python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 someone
USER 1000
WORKDIR /home/someone
