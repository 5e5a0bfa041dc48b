# A gateway and an executor in one container, made by the steps of README.md.
#
# Without further settings the gateway listens on a unix socket and on loopback
# only: publishing a port would reach nothing. Clients come through the socket in
# the volume, which host and container see at the same path. docs/operations.md
# has TLS, and the flags with which a container may isolate programs: their profiles
# are in executor/aerlock_executor/profiles, also of the image.
FROM debian:bookworm-slim

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        python3 python3-venv make git \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/aerlock
COPY . .
RUN make setup

RUN useradd --create-home --uid 1000 aerlock && install --directory --owner aerlock --group aerlock /srv/aerlock
# The credentials lie in the volume too, where a client on the host finds them.
ENV PATH=/opt/aerlock/.venv/bin:$PATH \
    AERLOCK_CREDENTIALS=/srv/aerlock/credentials.json
USER aerlock
VOLUME /srv/aerlock
CMD ["aerlock", "up", "--data-dir", "/srv/aerlock"]
