# Stands in for the official haproxy image.
FROM migration-sidecar-e2e/base
RUN apt-get update -q \
    && apt-get install -qy --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/*
USER haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
