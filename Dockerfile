# The command and the service in one image: docker build --tag rayon:local .
# The tag names Python and Debian, and leaves their security fixes to the day of the build.
FROM python:3.13-slim-trixie AS base

FROM base AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Wheels only: nothing is compiled, so no compiler is needed, and a package without a wheel is noticed here.
# The virtual environment gets no pip. The tests of the libraries are a tenth of it, and nothing imports them.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/rayon \
    && pip --python /opt/rayon/bin/python install --only-binary=:all: '/src[postgresql,tokenizers]' \
    && find /opt/rayon/lib -type d -name tests -prune -exec rm -r {} +

FROM base
# No package of Debian is added: the wheels bring OpenMP, BLAS, libpq and the picture formats along, and ask
# the system only for libc, libstdc++, libgcc and zlib, which are there.
# The number of the user stays the same from image to image, so that a volume can be read by the next one.
RUN pip uninstall --yes --root-user-action ignore pip \
    && groupadd --gid 10001 rayon \
    && useradd --uid 10001 --gid rayon --home-dir /data --no-create-home --shell /usr/sbin/nologin rayon \
    && install --directory --owner rayon --group rayon --mode 0750 /data
COPY --from=build /opt/rayon /opt/rayon
ENV PATH=/opt/rayon/bin:$PATH \
    RAYON_HOME=/data \
    RAYON_LOG_FORMAT=json

ARG REVISION=unknown
LABEL org.opencontainers.image.title="Rayon" \
    org.opencontainers.image.description="Calibrated product classification from text and pictures" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-trixie"

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Asked directly: a proxy that the environment names would look for 127.0.0.1 on its own machine.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
    CMD ["python", "-c", \
  "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/health/ready')"]
ENTRYPOINT ["rayon"]
CMD ["serve", "--host", "0.0.0.0"]
