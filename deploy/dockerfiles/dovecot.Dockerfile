# Dovecot 2.3.21 with OAuth2 (introspection), MariaDB, ARGON2ID passwords, Sieve and Lua, for --target
#   compiled   from source (the default): SOURCE=upstream, the release 2.3.21.1 and its Pigeonhole, held to the checksums
#              given; or SOURCE=debian, the source package of SUITE, held to Debian's signature
#   packaged   from Debian's backports, which are 2.3.21.1 too: quick, and renewed by the distribution
ARG BASE=debian:bookworm-slim
ARG SOURCE=upstream

FROM ${BASE} AS compiler
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update && apt-get install -y --no-install-recommends dpkg-dev gcc make libc6-dev pkg-config libssl-dev \
        default-libmysqlclient-dev zlib1g-dev libsodium-dev liblua5.4-dev ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

FROM compiler AS source-upstream
ARG DOVECOT_VERSION=2.3.21.1
ARG PIGEONHOLE_VERSION=0.5.21.1
ARG DOVECOT_SHA256
ARG PIGEONHOLE_SHA256
RUN releases=https://dovecot.org/releases/2.3 \
    && pigeonhole=https://pigeonhole.dovecot.org/releases/2.3 \
    && curl -fsSLo dovecot.tar.gz "$releases/dovecot-$DOVECOT_VERSION.tar.gz" \
    && curl -fsSLo pigeonhole.tar.gz "$pigeonhole/dovecot-2.3-pigeonhole-$PIGEONHOLE_VERSION.tar.gz" \
    && printf '%s  %s\n' "$DOVECOT_SHA256" dovecot.tar.gz "$PIGEONHOLE_SHA256" pigeonhole.tar.gz | sha256sum -c \
    && mkdir -p dovecot/pigeonhole && tar -xzf dovecot.tar.gz --strip-components=1 -C dovecot \
    && tar -xzf pigeonhole.tar.gz --strip-components=1 -C dovecot/pigeonhole

FROM compiler AS source-debian
ARG SUITE=bookworm
RUN echo "deb-src http://deb.debian.org/debian ${SUITE} main" >/etc/apt/sources.list.d/source.list \
    # A suite that is no longer renewed is still signed.
    && apt-get -o Acquire::Check-Valid-Until=false update \
    && apt-get source dovecot && mv dovecot-2.3*/ dovecot

# hadolint ignore=DL3006
FROM source-${SOURCE} AS build
WORKDIR /src/dovecot
# A helper that Debian's source leaves out; the full-text indexing it belongs to is not built in.
RUN test -e src/plugins/fts/decode2text.sh || printf '#!/bin/sh\nexit 1\n' >src/plugins/fts/decode2text.sh ; chmod +x src/plugins/fts/decode2text.sh
RUN ./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var --with-rundir=/run/dovecot --with-mysql \
        --with-ssl=openssl --with-sodium --with-lua=yes --with-zlib --without-systemd --without-pam --without-lz4 --without-zstd \
        --disable-static >/tmp/configure.log || { tail -n 30 /tmp/configure.log; exit 1; }
RUN make -j"$(nproc)" >/tmp/make.log 2>&1 || { tail -n 30 /tmp/make.log; exit 1; }
RUN make install-strip DESTDIR=/out >/tmp/install.log 2>&1 || { tail -n 30 /tmp/install.log; exit 1; }
WORKDIR /src/dovecot/pigeonhole
# Debian's source leaves the RFCs out, but not what asks for them.
RUN mkdir -p doc/rfc && { test -e doc/rfc/Makefile.in || printf 'all install install-strip:\n' >doc/rfc/Makefile.in; }
RUN { ./configure --prefix=/usr --sysconfdir=/etc --localstatedir=/var --with-dovecot=/src/dovecot --disable-static \
        && make -j"$(nproc)" && make install-strip DESTDIR=/out; } >/tmp/pigeonhole.log 2>&1 \
    || { tail -n 30 /tmp/pigeonhole.log; exit 1; }
RUN rm -rf /out/usr/include /out/usr/share/doc /out/usr/share/man /out/usr/share/aclocal /out/etc \
    && find /out -name '*.la' -delete

FROM ${BASE} AS packaged
RUN echo 'deb http://deb.debian.org/debian bookworm-backports main' >/etc/apt/sources.list.d/backports.list \
    && apt-get -o Acquire::Check-Valid-Until=false update \
    && apt-get install -y --no-install-recommends -t bookworm-backports dovecot-core dovecot-imapd dovecot-lmtpd \
        dovecot-managesieved dovecot-mysql dovecot-sieve \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/backports.list /etc/dovecot
RUN groupadd --gid 5000 vmail \
    && useradd --uid 5000 --gid 5000 --home-dir /var/lib/xynap/mail --shell /usr/sbin/nologin vmail \
    && install -d -o vmail -g vmail /var/lib/xynap/mail /var/lib/xynap/mail/vhosts \
    && install -d /etc/dovecot /etc/sieve /var/lib/xynap/dovecot /run/dovecot
COPY deploy/dovecot /usr/share/xynap/dovecot
COPY deploy/sieve /usr/share/xynap/sieve
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/dovecot /usr/local/bin/entry
# IMAP, IMAPS, IMAPS with the PROXY protocol, LMTP, doveadm, SASL, quota, ManageSieve
EXPOSE 143 993 10993 24 8080 12345 12340 4190
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s CMD ["healthy", "greeting", "143", "* OK"]
ENTRYPOINT ["entry"]

FROM ${BASE} AS compiled
RUN apt-get update && apt-get install -y --no-install-recommends libssl3 libmariadb3 zlib1g libsodium23 liblua5.4-0 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system dovecot \
    && useradd --system --gid dovecot --home-dir /usr/lib/dovecot --shell /usr/sbin/nologin dovecot \
    && useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin dovenull
COPY --from=build /out/ /
RUN groupadd --gid 5000 vmail \
    && useradd --uid 5000 --gid 5000 --home-dir /var/lib/xynap/mail --shell /usr/sbin/nologin vmail \
    && install -d -o vmail -g vmail /var/lib/xynap/mail /var/lib/xynap/mail/vhosts \
    && install -d /etc/dovecot /etc/sieve /var/lib/xynap/dovecot /run/dovecot
COPY deploy/dovecot /usr/share/xynap/dovecot
COPY deploy/sieve /usr/share/xynap/sieve
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/dovecot /usr/local/bin/entry
# IMAP, IMAPS, IMAPS with the PROXY protocol, LMTP, doveadm, SASL, quota, ManageSieve
EXPOSE 143 993 10993 24 8080 12345 12340 4190
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s CMD ["healthy", "greeting", "143", "* OK"]
ENTRYPOINT ["entry"]
