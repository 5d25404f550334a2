#!/usr/bin/env bash
# Installs the Debian packages that the tests use beside Python: real services and a real browser. Does nothing when
# they are there; where it may not install, it says what is missing and the tests that need it say so too.
set -euo pipefail

declare -A needed=([redis-server]=redis-server [chromium]=chromium [ip]=iproute2 [postgres]=postgresql [cc]=build-essential [openssl]=openssl)

have() {
  case $1 in
    postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

missing=()
for program in "${!needed[@]}"; do
  have "$program" || missing+=("${needed[$program]}")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "not on this system: ${missing[*]} (the tests that use them will say so)" >&2
  exit 0
fi
as_root=()
if [[ $EUID -ne 0 ]]; then
  if ! sudo -n true 2>/dev/null; then
    echo "missing: ${missing[*]}; install with: sudo apt-get install ${missing[*]}" >&2
    exit 0
  fi
  as_root=(sudo -n)
fi
echo "installing ${missing[*]} …"
"${as_root[@]}" apt-get update -qq
# No service is to be started by the installation: tests start their own, on ports of their own.
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
