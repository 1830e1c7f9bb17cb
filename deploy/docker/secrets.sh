#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, once: what is there stays.
# Keep a copy of master_key apart from the database's backups: without it what
# is sealed in the database cannot be opened, with it and the database it can.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # keep NAME VALUE
  [ -e "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"
  # Compose mounts the file as it is, and the containers are not its owner. The
  # folder, which nobody else may enter, is what protects it on this machine.
  chmod 0444 "secrets/$1"
}
keep master_key "$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
keep redis_password "$(random)"
keep postgres_password "$(random)"
keep database_url "postgres://keystone:$(cat secrets/postgres_password)@postgres:5432/keystone?sslmode=disable"
echo "The secrets are in $(pwd)/secrets. Copy master_key to where your backups cannot be read from."
