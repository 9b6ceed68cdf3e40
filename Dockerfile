# producers, streams and sinks: one image, told apart by the command. Kafka runs elsewhere. There is one lock file,
# so the image also has what tests and the embedded Kafka need: some 170 MB more than it would have to.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --create-home --uid 10001 changecast
WORKDIR /app

# the libraries first: they change less often than our code
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md ./
COPY schemas schemas
COPY runtime runtime
COPY producers producers
COPY streams streams
COPY sinks sinks
COPY changecast changecast
RUN pip install --no-deps --no-build-isolation . \
 && install -d -o changecast -g changecast /data

USER changecast
VOLUME /data
ENTRYPOINT ["changecast"]
CMD ["--help"]
