# The explorer on the CPU: docs/install.md has the two commands.
FROM python:3.13-slim AS wheel
RUN pip install --no-cache-dir uv
COPY . /checkout
WORKDIR /checkout
RUN uv build

FROM python:3.13-slim
RUN pip install --no-cache-dir uv && useradd --create-home listener
WORKDIR /home/listener
COPY --from=wheel /checkout/constraints.txt /checkout/dist/protoviz-0.1.0-py3-none-any.whl ./
RUN uv pip install --system --torch-backend cpu -c constraints.txt protoviz-0.1.0-py3-none-any.whl
USER listener
EXPOSE 5006
# The container's own network is what it listens on; which of it others reach is said by `docker run -p`.
CMD ["protoviz", "serve", "--no-show", "--address", "0.0.0.0", "--host", "localhost:5006", "--host", "127.0.0.1:5006"]
