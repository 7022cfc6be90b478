# The README's commands in a container. Never built so far: no Docker engine was at hand. Its `make` lines were run in a
# clone on Debian 12, as root; the base image and its packages were not tried, nor a GPU.
#
#   docker build -t m3a .                                      from a clone, whose .git goes along: DVC asks for it
#   docker run --rm -it m3a                                    make repro
#   docker run --rm -it m3a make test
#   docker build -t m3a --build-arg TORCH_INDEX=https://pypi.org/simple . && docker run --gpus all ...
#
# Docker's 64 MB of /dev/shm are enough: the loader hands batches over in memory of its own. Several GPUs by torchrun may
# want more, for NCCL: --shm-size 1g.
FROM python:3.13-slim

RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /m3a
ARG TORCH_INDEX=
ARG EXTRAS=
COPY . .
RUN make install TORCH_INDEX="$TORCH_INDEX" EXTRAS="$EXTRAS"

ENV PATH=/m3a/.venv/bin:$PATH
CMD ["make", "repro"]
