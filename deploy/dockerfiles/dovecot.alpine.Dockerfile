# Dovecot 2.3.21 with OAuth2 on Alpine, from source: Alpine's own package has no OAuth2. The same configuration and entry as
# dovecot.Dockerfile, whose images are what the checks run; this one is linted by them, not run.
ARG BASE=alpine:3.19

# hadolint ignore=DL3006
FROM ${BASE} AS build
SHELL ["/bin/ash", "-eo", "pipefail", "-c"]
RUN apk add --no-cache build-base linux-headers pkgconf openssl-dev mariadb-connector-c-dev zlib-dev libsodium-dev \
        lua5.4-dev curl
ARG DOVECOT_VERSION=2.3.21.1
ARG PIGEONHOLE_VERSION=0.5.21.1
ARG DOVECOT_SHA256
ARG PIGEONHOLE_SHA256
WORKDIR /src
RUN releases=https://dovecot.org/releases/2.3 \
    && pigeonhole=https://pigeonhole.dovecot.org/releases/2.3 \
    && curl -fsSLo dovecot.tar.gz "$releases/dovecot-$DOVECOT_VERSION.tar.gz" \
    && curl -fsSLo pigeonhole.tar.gz "$pigeonhole/dovecot-2.3-pigeonhole-$PIGEONHOLE_VERSION.tar.gz" \
    && printf '%s  %s\n' "$DOVECOT_SHA256" dovecot.tar.gz "$PIGEONHOLE_SHA256" pigeonhole.tar.gz | sha256sum -c \
    && mkdir -p dovecot/pigeonhole && tar -xzf dovecot.tar.gz --strip-components=1 -C dovecot \
    && tar -xzf pigeonhole.tar.gz --strip-components=1 -C dovecot/pigeonhole
WORKDIR /src/dovecot
RUN LUA_CFLAGS="$(pkg-config --cflags lua5.4)" LUA_LIBS="$(pkg-config --libs lua5.4)" \
    ./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var --with-rundir=/run/dovecot --with-mysql \
        --with-ssl=openssl --with-sodium --with-lua=yes --with-zlib --without-systemd --without-pam --without-lz4 \
        --without-zstd --disable-static \
    && make -j"$(nproc)" && make install-strip DESTDIR=/out
WORKDIR /src/dovecot/pigeonhole
RUN ./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var --with-dovecot=/src/dovecot --disable-static \
    && make -j"$(nproc)" && make install-strip DESTDIR=/out \
    && rm -rf /out/usr/include /out/usr/share/doc /out/usr/share/man /out/usr/share/aclocal /out/etc \
    && find /out -name '*.la' -delete

# hadolint ignore=DL3006
FROM ${BASE} AS runtime
RUN apk add --no-cache openssl libcurl mariadb-connector-c zlib libsodium lua5.4-libs ca-certificates bash perl tar \
    && addgroup -S dovecot && adduser -S -D -H -G dovecot -s /sbin/nologin dovecot \
    && addgroup -S dovenull && adduser -S -D -H -G dovenull -s /sbin/nologin dovenull \
    && addgroup -g 5000 vmail && adduser -D -H -u 5000 -G vmail -h /var/lib/xynap/mail -s /sbin/nologin vmail \
    && install -d -o vmail -g vmail /var/lib/xynap/mail /var/lib/xynap/mail/vhosts \
    && install -d /etc/dovecot /etc/sieve /var/lib/xynap/dovecot /run/dovecot
COPY --from=build /out/ /
COPY deploy/dovecot /usr/share/xynap/dovecot
COPY deploy/sieve /usr/share/xynap/sieve
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/dovecot /usr/local/bin/entry
# IMAP, IMAPS, IMAPS with the PROXY protocol, LMTP, doveadm, SASL, quota, ManageSieve
EXPOSE 143 993 10993 24 8080 12345 12340 4190
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s CMD ["healthy", "greeting", "143", "* OK"]
ENTRYPOINT ["entry"]
