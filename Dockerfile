# Kentongan in a container: one image for every role. Build stage: wheels from the hashed locks, the
# web part built by the Node that comes as a wheel. Final stage: Python, the wheels, one account.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/kentongan \
 && /opt/kentongan/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.lock \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/kentongan/bin/pip install --no-cache-dir --no-deps /wheels/kentongan-*.whl

FROM python:3.13-slim-bookworm
RUN useradd --system --create-home --home-dir /var/lib/kentongan kentongan
COPY --from=build /opt/kentongan /opt/kentongan
ENV PATH=/opt/kentongan/bin:$PATH \
    KENTONGAN_HOST=0.0.0.0 \
    KENTONGAN_DATA_DIR=/var/lib/kentongan/data
USER kentongan
WORKDIR /var/lib/kentongan
VOLUME /var/lib/kentongan
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
ENTRYPOINT ["kentongan"]
CMD ["up"]
