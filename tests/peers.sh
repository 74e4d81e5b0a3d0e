#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Looks for the peers that Debian 12 lacks (oras, crane, docker's buildx) and fetches their packages from Debian's later
# releases, through the archive that this machine is configured for, unpacked into the folder and not installed.
# usage: peers.sh FOLDER: leaves oras, crane and docker-buildx in FOLDER/bin, or says why not and exits 1.
set -u
mkdir -p "$1/bin" || exit 1
folder=$(cd "$1" && pwd)
need=""
# Plugins of docker are not on PATH.
plugins=/usr/libexec/docker/cli-plugins:/usr/lib/docker/cli-plugins:/usr/local/lib/docker/cli-plugins
for tool in oras crane docker-buildx; do
  [ -x "$folder/bin/$tool" ] && continue
  found=$(PATH=$PATH:$plugins command -v $tool) && ln -sf "$found" "$folder/bin/$tool" && continue
  need="$need $tool"
done
[ -n "$need" ] || exit 0

printf '==> Fetching peers:%s\n' "$need" >&2
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 'Origin: Debian' 2>/dev/null | sort -u | grep -v security | head -n 1)
[ -n "$uri" ] || { echo "peers.sh: no Debian archive is configured here; not fetched:$need" >&2; exit 1; }
key=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d "$folder/fetch.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
for release in trixie sid; do printf 'deb [signed-by=%s] %s %s main\n' "$key" "$uri" "$release"; done > "$work/sources.list"
apt() {
  apt-get -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$work/lists" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -qq "$@"
}
apt update >/dev/null 2>&1 || { echo "peers.sh: the archive does not answer; not fetched:$need" >&2; exit 1; }
status=0
for tool in $need; do
  if (cd "$work" && apt download "$tool" >/dev/null 2>&1) && dpkg -x "$work/$tool"_*.deb "$work/$tool" 2>/dev/null; then
    find "$work/$tool/usr" \( -path "*/bin/$tool" -o -path "*/cli-plugins/$tool" \) -type f -exec cp {} "$folder/bin/$tool" \;
  else
    echo "peers.sh: $tool is not in the archive" >&2; status=1
  fi
done
exit $status
