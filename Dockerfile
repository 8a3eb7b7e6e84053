# Two stages: the first installs the pinned wheels, the second holds them, the service and no tools.
#
# Run it with a read-only root; only the state directory and /tmp are written to:
#   docker run --read-only --tmpfs /tmp -p 8000:8000 \
#     -v assay-state:/var/lib/assay -v "$PWD/data:/srv/assay/data:ro" assay
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/assay
COPY requirements_deployment.txt /tmp/
RUN /opt/assay/bin/python -m pip install --no-deps --only-binary :all: --require-hashes \
      -r /tmp/requirements_deployment.txt \
 && /opt/assay/bin/python -m pip check \
 && /opt/assay/bin/python -m pip uninstall --yes pip setuptools \
 && /opt/assay/bin/python -m compileall -q /opt/assay/lib

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Assay" org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/assay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ASSAY_STATE=/var/lib/assay
RUN groupadd --system --gid 10001 assay \
 && useradd --system --uid 10001 --gid assay --no-create-home --home-dir /nonexistent \
      --shell /usr/sbin/nologin assay \
 && install --directory --owner assay --group assay --mode 0700 /var/lib/assay
COPY --from=environment /opt/assay /opt/assay
WORKDIR /srv/assay
COPY LICENSE wsgi.py datasets.yaml requirements_deployment.txt ./
COPY plugins plugins
COPY app app
RUN python -m compileall -q app plugins wsgi.py
USER 10001:10001
VOLUME /var/lib/assay
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=4).read()"]
CMD ["python", "-m", "app", "serve", "--host", "0.0.0.0", "--port", "8000"]
