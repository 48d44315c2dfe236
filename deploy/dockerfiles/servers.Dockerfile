# The servers around the services, from Debian's packages, with the same templates as the local stack:
# --target postfix | rspamd | mariadb | redis | powerdns | traefik. Each renders its configuration at its start.
ARG BASE=debian:bookworm-slim
ARG TRAEFIK=traefik:v3.7

FROM ${BASE} AS server
RUN groupadd --gid 5000 vmail \
    && useradd --uid 5000 --gid 5000 --home-dir /var/lib/xynap/mail --shell /usr/sbin/nologin vmail

FROM server AS postfix
RUN echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postfix postfix-mysql ca-certificates \
    && rm -rf /var/lib/apt/lists/* && mv /etc/postfix /usr/share/xynap-postfix-package && mkdir /etc/postfix
COPY deploy/postfix /usr/share/xynap/postfix
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/postfix /usr/local/bin/entry
EXPOSE 25 465 587 10025 10465 10587 10026
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s CMD ["healthy", "greeting", "25", "220 "]
ENTRYPOINT ["entry"]

FROM server AS rspamd
RUN apt-get update && apt-get install -y --no-install-recommends rspamd ca-certificates && rm -rf /var/lib/apt/lists/* \
    && install -d -o vmail -g vmail /etc/xynap-rspamd /run/rspamd /var/lib/xynap/rspamd \
    && install -d -o vmail -g vmail -m 700 /var/lib/xynap/mail/dkim
COPY deploy/rspamd /usr/share/xynap/rspamd
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/rspamd /usr/local/bin/entry
USER 5000:5000
EXPOSE 11332 11333 11334
HEALTHCHECK --interval=2s --timeout=3s --start-period=180s CMD ["healthy", "http", "11334", "/ping"]
ENTRYPOINT ["entry"]

FROM server AS mariadb
RUN apt-get update && apt-get install -y --no-install-recommends mariadb-server mariadb-backup \
    && rm -rf /var/lib/apt/lists/* /var/lib/mysql /etc/mysql && install -d /etc/mariadb
COPY deploy/mariadb /usr/share/xynap/mariadb
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/mariadb /usr/local/bin/entry
EXPOSE 3306
HEALTHCHECK --interval=2s --timeout=3s --start-period=60s \
    CMD ["mariadb-admin", "--no-defaults", "--socket=/run/mariadb/mariadb.sock", "ping"]
ENTRYPOINT ["entry"]

FROM server AS redis
RUN apt-get update && apt-get install -y --no-install-recommends redis-server redis-sentinel && rm -rf /var/lib/apt/lists/* \
    && install -d -o redis -g redis /etc/redis /var/lib/xynap/redis
COPY deploy/redis /usr/share/xynap/redis
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/redis /usr/local/bin/entry
EXPOSE 6379
# NOAUTH is an answer too: the server lives.
HEALTHCHECK --interval=2s --timeout=3s CMD ["sh", "-c", "redis-cli ping | grep -q -e PONG -e NOAUTH"]
ENTRYPOINT ["entry"]

FROM server AS powerdns
RUN apt-get update && apt-get install -y --no-install-recommends pdns-server pdns-backend-sqlite3 sqlite3 \
    && rm -rf /var/lib/apt/lists/* /etc/powerdns && install -d -o pdns -g pdns /etc/powerdns /run/powerdns /var/lib/xynap/powerdns
COPY deploy/powerdns /usr/share/xynap/powerdns
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/powerdns /usr/local/bin/entry
EXPOSE 53/udp 53/tcp 8053
HEALTHCHECK --interval=2s --timeout=3s --start-period=5s CMD ["bash", "-c", ": >/dev/tcp/127.0.0.1/8053"]
ENTRYPOINT ["entry"]

# hadolint ignore=DL3006
FROM ${TRAEFIK} AS traefik-upstream

FROM server AS traefik
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates jq && rm -rf /var/lib/apt/lists/* \
    && install -d -o vmail -g vmail /etc/traefik /var/lib/xynap/traefik
COPY --from=traefik-upstream /usr/local/bin/traefik /usr/local/bin/traefik
COPY deploy/traefik /usr/share/xynap/traefik
COPY deploy/dockerfiles/entry/render deploy/dockerfiles/entry/healthy deploy/dockerfiles/entry/on-change /usr/local/bin/
COPY deploy/dockerfiles/entry/traefik /usr/local/bin/entry
COPY deploy/dockerfiles/entry/export-certificate /usr/local/bin/export-certificate
USER 5000:5000
EXPOSE 8099 80 443 993 25 465 587
HEALTHCHECK --interval=2s --timeout=3s CMD ["healthy", "http", "8080", "/ping"]
ENTRYPOINT ["entry"]
