# The four services: --target auth-server | admin-api | webmail-proxy | mail-watcher.
#   BINARIES=build      compiled here, with the Swift runtime linked in
#   BINARIES=prebuilt   taken from .local/images (deploy/images puts them there), so that CI compiles once
# An image holds the binary, the libraries it names, roots, time zones and a busybox for the health check; no package
# manager, and nothing that a binary does not ask for.
ARG BASE=debian:bookworm-slim
ARG SWIFT=swift:6.3-bookworm
ARG BINARIES=build

FROM ${SWIFT} AS build
RUN apt-get update && apt-get install -y --no-install-recommends pkg-config libmariadb-dev libhiredis-dev libsodium-dev \
        libgmime-3.0-dev libgumbo-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Package.resolved is a build's own and not in the repository: taken where there is one.
COPY Package.swift Package.resolved* ./
COPY Shared Shared
COPY Services Services
COPY Tests Tests
COPY Bench Bench
RUN for service in auth-server admin-api webmail-proxy mail-watcher; do \
        swift build -c release --static-swift-stdlib -Xlinker -s --product "$service" \
        && install -D ".build/release/$service" "/out/bin/$service" || exit 1; \
    done && mkdir -p /out/lib

FROM scratch AS prebuilt
COPY .local/images/bin /out/bin
COPY .local/images/lib /out/lib

# hadolint ignore=DL3006
FROM ${BINARIES} AS binaries

FROM ${BASE} AS root
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static ca-certificates libgmime-3.0-0 libgumbo1 \
        libhiredis0.14 libmariadb3 libsodium23 libssl3 libstdc++6 tzdata zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=binaries /out/lib /usr/local/lib/swift
COPY --from=binaries /out/bin /usr/local/bin
COPY deploy/dockerfiles/collect-root /usr/local/sbin/collect-root
RUN echo /usr/local/lib/swift >/etc/ld.so.conf.d/swift.conf && ldconfig \
    && for service in auth-server admin-api webmail-proxy mail-watcher; do \
        collect-root "/usr/local/bin/$service" "/roots/$service" || exit 1; \
    done

FROM scratch AS auth-server
COPY --from=root /roots/auth-server /
USER 5000:5000
ENV XYNAP_HOST=0.0.0.0 XYNAP_PORT=8081
EXPOSE 8081
HEALTHCHECK --interval=2s --timeout=3s CMD ["/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8081/healthz"]
ENTRYPOINT ["/usr/local/bin/auth-server"]

FROM scratch AS admin-api
COPY --from=root /roots/admin-api /
USER 5000:5000
ENV XYNAP_HOST=0.0.0.0 XYNAP_PORT=8082
EXPOSE 8082
HEALTHCHECK --interval=2s --timeout=3s CMD ["/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8082/healthz"]
ENTRYPOINT ["/usr/local/bin/admin-api"]

FROM scratch AS webmail-proxy
COPY --from=root /roots/webmail-proxy /
USER 5000:5000
ENV XYNAP_HOST=0.0.0.0 XYNAP_PORT=8083
EXPOSE 8083
HEALTHCHECK --interval=2s --timeout=3s CMD ["/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8083/healthz"]
ENTRYPOINT ["/usr/local/bin/webmail-proxy"]

FROM scratch AS mail-watcher
COPY --from=root /roots/mail-watcher /
USER 5000:5000
ENV XYNAP_HOST=0.0.0.0 XYNAP_PORT=8084
EXPOSE 8084
HEALTHCHECK --interval=2s --timeout=3s CMD ["/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8084/healthz"]
ENTRYPOINT ["/usr/local/bin/mail-watcher"]
