# The README's commands in a container. Never built so far: no Docker engine was at hand. Its `make` lines were run in a
# clone on Debian 12, as root; the base image and its packages were not tried, nor a GPU.
#
#   docker build -t m3a .                                      from a clone, whose .git goes along: DVC asks for it
#   docker run --rm -it --shm-size 1g m3a                      make repro
#   docker run --rm -it --shm-size 1g m3a make test
#   docker build -t m3a --build-arg TORCH_INDEX=https://pypi.org/simple . && docker run --gpus all ...
#
# --shm-size: the training loader hands batches over through shared memory, of which Docker gives 64 MB.
FROM python:3.13-slim

RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /m3a
ARG TORCH_INDEX=
ARG EXTRAS=
COPY . .
RUN make install TORCH_INDEX="$TORCH_INDEX" EXTRAS="$EXTRAS"

ENV PATH=/m3a/.venv/bin:$PATH
CMD ["make", "repro"]
