# The image of both commands, `eventstore` and `relay`.

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/eventstore
COPY pyproject.toml README.md LICENSE ./
COPY infra/tables.yaml infra/tables.yaml
COPY eventstore eventstore
COPY relay relay
RUN /opt/eventstore/bin/pip install --no-cache-dir --disable-pip-version-check .

FROM python:3.11.14-slim-bookworm
# A number, so that an orchestrator can see that it is not root.
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin eventstore
COPY --from=build /opt/eventstore /opt/eventstore
ENV PATH=/opt/eventstore/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /tmp
# The exec form: the command itself gets SIGTERM, and drains.
CMD ["relay", "--help"]
