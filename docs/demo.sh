#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demo: a real registry on loopback, an image and an artifact in it, and a look at both through a mount.
# Run by `./dev demo`. Everything that it makes lies below build/demo and is gone when it ends.
set -eu
bin=$(cd "$1" && pwd)
PATH=$bin:$PATH
mkdir -p build/demo
work=$(mktemp -d "$PWD/build/demo/run.XXXXXX")
mount=$work/mnt
export BERTH_CACHE="$work/cache" BERTH_TOKENS="$work/tokens"
registry_pid=""

clean_up() {
  status=$?
  trap - EXIT INT TERM HUP
  cd "$work/../../.." 2>/dev/null || true
  berth unmount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true
  if [ -n "$registry_pid" ]; then kill "$registry_pid" 2>/dev/null || true; wait "$registry_pid" 2>/dev/null || true; fi
  # berthfs writes its cache down after the mount is gone.
  for _ in $(seq 50); do rm -rf "$work" 2>/dev/null && break; sleep 0.1; done
  rmdir build/demo 2>/dev/null || true
  exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# show COMMAND...: prints it as typed below the mount, runs it there.
show() {
  printf '\n\033[1m$ %s\033[0m\n' "$1"
  (cd "$mount" && eval "$1")
}

# A free port: one that the kernel just gave to a listener of ours.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_registry() {
  port=$(free_port)
  cat >"$work/registry.yml" <<YML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: 127.0.0.1:$port, relativeurls: true}
YML
  docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
  registry_pid=$!
  for _ in $(seq 100); do
    curl -fs -o /dev/null "http://127.0.0.1:$port/v2/" && return 0
    kill -0 "$registry_pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "demo: the registry did not start:" >&2; cat "$work/registry.log" >&2; exit 1
}

digest() { printf 'sha256:%s' "$(sha256sum "$1" | cut -d' ' -f1)"; }
size() { stat -c %s "$1"; }

# push_blob REPOSITORY FILE: what any client does: a session, then the bytes with their digest.
push_blob() {
  location=$(curl -fsi -X POST "http://127.0.0.1:$port/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  case $location in *\?*) location="$location&digest=$(digest "$2")" ;; *) location="$location?digest=$(digest "$2")" ;; esac
  curl -fs -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "http://127.0.0.1:$port$location"
}
push_manifest() { # REPOSITORY REFERENCE MEDIA_TYPE FILE
  curl -fs -o /dev/null -X PUT -H "Content-Type: $3" --data-binary "@$4" "http://127.0.0.1:$port/v2/$1/manifests/$2"
}
descriptor() { # MEDIA_TYPE FILE [MORE]
  printf '{"mediaType":"%s","digest":"%s","size":%s%s}' "$1" "$(digest "$2")" "$(size "$2")" "${3:-}"
}

oci=application/vnd.oci
push_image() { # TAG GREETING CREATED
  mkdir -p "$work/image/etc" && printf '%s\n' "$2" >"$work/image/etc/motd"
  tar -C "$work/image" --sort=name --owner=0 --group=0 --mtime="$3" -czf "$work/layer.tar.gz" .
  printf '{"created":"%s","architecture":"amd64","os":"linux","config":{"Cmd":["cat","/etc/motd"],"Env":["GREETING=%s"]},"rootfs":{"type":"layers","diff_ids":["%s"]}}' \
    "$3" "$2" "sha256:$(gzip -dc "$work/layer.tar.gz" | sha256sum | cut -d' ' -f1)" >"$work/config.json"
  push_blob library/hello "$work/layer.tar.gz"
  push_blob library/hello "$work/config.json"
  printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s],"annotations":{"org.opencontainers.image.created":"%s"}}' \
    "$oci.image.manifest.v1+json" "$(descriptor "$oci.image.config.v1+json" "$work/config.json")" \
    "$(descriptor "$oci.image.layer.v1.tar+gzip" "$work/layer.tar.gz")" "$3" >"$work/manifest.json"
  push_manifest library/hello "$1" "$oci.image.manifest.v1+json" "$work/manifest.json"
}

push_artifact() {
  printf '{"vocabulary":32000,"layers":12}\n' >"$work/model.json"
  head -c 3000000 /dev/zero >"$work/weights.bin"
  printf '{}' >"$work/empty.json"
  for file in model.json weights.bin empty.json; do push_blob models/tiny "$work/$file"; done
  title() { printf ',"annotations":{"org.opencontainers.image.title":"%s"}' "$1"; }
  printf '{"schemaVersion":2,"mediaType":"%s","artifactType":"application/vnd.example.model","config":%s,"layers":[%s,%s]}' \
    "$oci.image.manifest.v1+json" "$(descriptor "$oci.empty.v1+json" "$work/empty.json")" \
    "$(descriptor application/json "$work/model.json" "$(title model.json)")" \
    "$(descriptor application/octet-stream "$work/weights.bin" "$(title weights/part-0.bin)")" >"$work/artifact.json"
  push_manifest models/tiny 2024 "$oci.image.manifest.v1+json" "$work/artifact.json"
}

printf 'Starting docker-registry on loopback, and pushing an image of two tags and an artifact of two files.\n'
start_registry
push_image v1 'hello from berth' 2024-05-01T10:00:00Z
push_image v2 'hello again' 2024-06-01T10:00:00Z
push_artifact

mkdir "$mount"
printf '\n\033[1m$ berth mount 127.0.0.1:%s mnt; cd mnt\033[0m\n' "$port"
berth mount "127.0.0.1:$port" "$mount"

show 'ls'
show 'ls -l library/hello'
show 'cat library/hello/v1/manifest.json | jq .layers'
show 'cp library/hello/v2/layers/00.tar.gz ../layer.tar.gz; tar -xzOf ../layer.tar.gz ./etc/motd'
show 'find models/tiny/2024/ -path "*/files/*" -type f -size +1k'
show 'cat models/tiny/2024/files/model.json'
show 'jq .config.Env library/hello/v1/config.json >../1; jq .config.Env library/hello/v2/config.json | diff ../1 - || true'
printf '\nThat was a registry. Now yours:  berth mount REGISTRY DIR\n'
