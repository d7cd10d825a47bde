# The lineage and the extraction, with the packages of the locks: `docker build -t your-registry/delta-arc:1 .`
# With --build-arg EXTRACTION=false it has the lineage alone, and does not read the columns of Parquet and ORC files.
# The code is in /app. Caches, pages, and .env if there is one, are in /data: mount a volume there.
FROM python:3.13-slim AS packages
ARG EXTRACTION=true
WORKDIR /app
RUN python -m venv --without-pip /venv
COPY requirements.lock ./
RUN pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY metadata_extraction/requirements.lock metadata_extraction/
RUN [ "$EXTRACTION" != true ] || pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r metadata_extraction/requirements.lock
COPY main.py pyproject.toml ./
COPY runtime runtime
COPY lineage_page lineage_page
COPY delta_arc delta_arc
COPY metadata_extraction metadata_extraction
COPY components components
RUN /venv/bin/python -m compileall -q /app

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=packages /venv /venv
COPY --from=packages /app /app
RUN install -d -o 10001 -g 10001 /data
USER 10001:10001
WORKDIR /data
# As process 1 Python hears of no other signal unless it asks for it.
STOPSIGNAL SIGINT
ENTRYPOINT ["python"]
CMD ["/app/main.py", "--require-tenant"]
