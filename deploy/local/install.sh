#!/usr/bin/env bash
# install.sh [containers]: installs what a bare Debian 12 with a Swift toolchain lacks: build libraries, mail servers,
# and the few tools that come from PyPI (into .local/venv); for `containers`, a container engine and the tools that check
# what is made for it. Nothing is started, no system service is touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build_packages=(
    build-essential pkg-config git libmariadb-dev libhiredis-dev libsodium-dev libgmime-3.0-dev libgumbo-dev
)
run_packages=(
    mariadb-server mariadb-client redis-server pdns-server pdns-backend-sqlite3 sqlite3 rspamd
    dovecot-core dovecot-imapd dovecot-lmtpd dovecot-managesieved dovecot-mysql dovecot-sieve postfix postfix-mysql
    openssl ca-certificates procps curl bind9-dnsutils python3 python3-venv util-linux
)
container_packages=(docker.io debootstrap iproute2)
check_packages=(bind9 nginx-light wrk shellcheck chromium chromium-driver mutt swaks)
packages=("${build_packages[@]}" "${run_packages[@]}" "${check_packages[@]}")
if [ "${1:-}" = containers ]; then packages+=("${container_packages[@]}"); fi

venv=.local/venv
requirements=deploy/local/requirements.txt
policy=/usr/sbin/policy-rc.d
saved_policy=$policy.xynap-saved
log=.local/install.log

say() { printf '==> %s\n' "$*"; }

missing_packages() {
    local installed
    installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
        sed -n 's/ installed$//p') || true
    comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(printf '%s\n' "$installed" | sort -u)
}

# Debian packages start their services when installed. This policy forbids it while we install; what was
# there before comes back afterwards, also after an installation that was cut off: ours is known by its second line.
is_ours() { grep -qsx '# by xynap-mail, while it installs' "$policy"; }
restore_policy() {
    if [ -e "$saved_policy" ]; then mv -f "$saved_policy" "$policy"; else rm -f "$policy"; fi
}

install_packages() {
    [ "$(id -u)" = 0 ] || { echo "these packages are missing, run as root: $*" >&2; exit 1; }
    mkdir -p .local
    exec 9>.local/install.lock
    flock 9
    if [ -e "$policy" ] && ! is_ours && [ ! -e "$saved_policy" ]; then mv "$policy" "$saved_policy"; fi
    trap restore_policy EXIT
    printf '#!/bin/sh\n# by xynap-mail, while it installs\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    export DEBIAN_FRONTEND=noninteractive
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    say "installing $# Debian packages: $* (log: $log)"
    if ! {
        dpkg --configure -a && apt-get -o DPkg::Lock::Timeout=300 update -qq &&
            apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends -qq \
                -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"
    } 2>&1 | tee -a "$log" | sed -u -n 's/^Setting up \([^ ]*\).*/    \1/p'; then
        tail -n 20 "$log" >&2
        exit 1
    fi
    trap - EXIT
    restore_policy
    exec 9>&-
}

install_venv() {
    say "installing from PyPI into $venv: $(tr '\n' ' ' <"$requirements")"
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/installed.txt"
}

command -v swift >/dev/null || { echo "no swift on the PATH: install a Swift 6.2 (or later) toolchain" >&2; exit 1; }
if command -v dpkg-query >/dev/null; then
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"
else
    say "not a Debian: expecting the packages to be there already"
fi
cmp -s "$requirements" "$venv/installed.txt" || install_venv
if [ "${1:-}" = containers ]; then "$venv/bin/pip" install --quiet --disable-pip-version-check -r deploy/requirements.txt; fi
