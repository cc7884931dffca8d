# Debian as debootstrap makes it, and how this machine reaches its package sources.
FROM migration-sidecar-e2e/debian
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY pip.conf /etc/pip.conf
COPY sources.list /etc/apt/sources.list
COPY apt.conf /etc/apt/apt.conf.d/99host
