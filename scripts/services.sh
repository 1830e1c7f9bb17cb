# shellcheck shell=bash
# PostgreSQL and Redis (or Valkey) for tests and benchmarks, a browser and
# PgBouncer for tests. Sourced, not run:
#
#   . scripts/services.sh
#   services_start      # sets and exports TEST_POSTGRES_URL and TEST_REDIS_URL
#
# Each of the two is, in this order: the one its variable already names; a
# throwaway instance of installed binaries; the same after installing them
# (root on Debian or Ubuntu); a container. Instances listen on loopback, on a
# free port, with a random password, keep everything in one temporary folder,
# and stop with the run, also when it is killed.
#
# With services_durable=1 PostgreSQL flushes each commit to disk, as an
# operator's does: for measurements. Tests see the same commits without.
#
# Without CI=true a missing service is said and its tests skip themselves;
# with CI=true it ends the run.

services_dir=

services_say() { printf 'services: %s\n' "$*" >&2; }

services_start() {
  local wanted=
  [ -n "${TEST_POSTGRES_URL:-}" ] || wanted="$wanted postgres"
  [ -n "${TEST_REDIS_URL:-}" ] || wanted="$wanted redis"
  if [ -n "$wanted" ]; then
    services_folder
    trap 'services_stop "$services_dir"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    services_guard
  fi
  local one
  for one in $wanted; do
    "services_$one" || services_missing "$one" || return 1
  done
  [ -z "${TEST_POSTGRES_URL:-}" ] || export TEST_POSTGRES_URL
  [ -z "${TEST_REDIS_URL:-}" ] || export TEST_REDIS_URL
}

services_missing() {
  if [ "${CI:-}" = true ]; then
    services_say "no $1 here and none could be set up; CI=true allows no skipped test. Install it; for a database elsewhere set TEST_POSTGRES_URL and TEST_REDIS_URL."
    return 1
  fi
  services_say "no $1 here and none could be set up: the tests that need it are skipped."
}

# services_folder makes the temporary folder. PostgreSQL refuses to run as
# root, so root hands the folder to an account without rights.
services_folder() {
  services_account=
  if [ "$(id -u)" = 0 ]; then
    services_dir=$(mktemp -d /tmp/keystone-services.XXXXXX)
    services_account=nobody
    ! id postgres >/dev/null 2>&1 || services_account=postgres
    chown "$services_account" "$services_dir"
  else
    services_dir=$(mktemp -d "${TMPDIR:-/tmp}/keystone-services.XXXXXX")
  fi
}

# services_as runs a command as the account the folder belongs to.
services_as() (
  cd /
  if [ -z "$services_account" ]; then
    exec "$@"
  elif command -v runuser >/dev/null; then
    exec runuser -u "$services_account" -- "$@"
  else
    exec su -s /bin/sh "$services_account" -c 'exec "$0" "$@"' -- "$@"
  fi
)

services_password() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# services_port prints a loopback port nobody listens on, below the range the
# kernel hands out by itself.
services_port() {
  local port
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

# --- PostgreSQL ---------------------------------------------------------------

services_postgres() {
  local bin
  bin=$(services_postgres_bin) || { services_apt postgresql && bin=$(services_postgres_bin); } || bin=
  if [ -z "$bin" ]; then
    services_container postgres
    return
  fi
  local data="$services_dir/postgres" log="$services_dir/postgres.log" password port try flush
  flush='-c fsync=off -c full_page_writes=off'
  [ -z "${services_durable:-}" ] || flush=
  password=$(services_password)
  (umask 077 && printf '%s\n' "$password" >"$services_dir/password")
  [ -z "$services_account" ] || chown "$services_account" "$services_dir/password"
  services_initdb "$bin" "$data" >"$log" 2>&1 || {
    services_say "initdb failed:" && cat "$log" >&2
    return 1
  }
  for try in 1 2 3 4 5; do
    port=$(services_port)
    if services_as "$bin/pg_ctl" -D "$data" -l "$data/server.log" -w -t 60 -s \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300 $flush" start >>"$log" 2>&1; then
      TEST_POSTGRES_URL="postgres://postgres:$password@127.0.0.1:$port/postgres?sslmode=disable"
      services_say "$("$bin/postgres" --version) on 127.0.0.1:$port"
      return
    fi
  done
  services_say "PostgreSQL did not start:" && cat "$log" "$data/server.log" >&2
  return 1
}

# A linguistic default collation, as distributions and container images have
# it: a query that leans on byte order without saying COLLATE "C" shows up here.
services_initdb() {
  services_as "$1/initdb" -D "$2" -U postgres --auth=password --pwfile="$services_dir/password" \
    --encoding=UTF8 --no-sync --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US ||
    { rm -rf "$2" && services_as "$1/initdb" -D "$2" -U postgres --auth=password --pwfile="$services_dir/password" \
      --encoding=UTF8 --no-sync --no-locale; }
}

# services_postgres_bin prints the folder of the newest installed server.
services_postgres_bin() {
  local found dir
  found=$(
    {
      dir=$(command -v initdb) && dirname "$dir"
      ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/opt/postgresql@*/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null | sort -t/ -k5 -V -r
    } | while read -r dir; do
      [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ] && [ -x "$dir/postgres" ] && echo "$dir" && break
    done
  ) || true
  [ -n "$found" ] && echo "$found"
}

# --- Redis or Valkey ----------------------------------------------------------

services_redis() {
  local server
  server=$(command -v valkey-server || command -v redis-server) ||
    { { services_apt redis-server || services_apt valkey-server; } && server=$(command -v valkey-server || command -v redis-server); } || server=
  if [ -z "$server" ]; then
    services_container redis
    return
  fi
  local password port try n log="$services_dir/redis.log"
  password=$(services_password)
  for try in 1 2 3 4 5; do
    port=$(services_port)
    printf 'bind 127.0.0.1\nport %s\nrequirepass %s\nsave ""\nappendonly no\ndir %s\npidfile %s\ndaemonize yes\nlogfile %s\n' \
      "$port" "$password" "$services_dir" "$services_dir/redis.pid" "$log" | services_as "$server" - >>"$services_dir/redis.out" 2>&1 || continue
    for n in $(seq 100); do
      if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        TEST_REDIS_URL="redis://default:$password@127.0.0.1:$port/0"
        services_say "$("$server" --version | cut -d' ' -f1-3) on 127.0.0.1:$port"
        return
      fi
      sleep 0.05
    done
  done
  services_say "Redis did not start:" && cat "$services_dir/redis.out" "$log" >&2
  return 1
}

# --- a browser ------------------------------------------------------------------

# services_chromium sees to it that the browser is there in which the pages are
# tested; the test starts it.
services_chromium() {
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || services_apt chromium
}

# services_pgbouncer sees to it that the pooler is there behind which Keystone is
# tested; the tests start it.
services_pgbouncer() {
  command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || services_apt pgbouncer
}

# services_haproxy sees to it that the balancer is there behind which nodes are
# stopped and started; the test starts it.
services_haproxy() {
  command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || services_apt haproxy
}

# services_openssl sees to it that the program is there by which
# scripts/conformance.sh makes certificates.
services_openssl() {
  command -v openssl >/dev/null || services_apt openssl
}

# --- where they come from -----------------------------------------------------

# services_apt installs a package without letting it start anything. It says no
# where it may not.
services_apt() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  local policy=/usr/sbin/policy-rc.d mine= conf=/etc/postgresql-common/createcluster.conf rc=0
  services_say "installing $1"
  if [ ! -e "$policy" ]; then
    mine=1
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  {
    if [ -z "${services_apt_updated:-}" ]; then apt-get update -q; fi
    services_apt_updated=1
    # The package would make and start a cluster of its own.
    if [ "$1" = postgresql ]; then
      DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends postgresql-common &&
        sed -ri 's/#?(create_main_cluster) .*$/\1 = false/' "$conf"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$1" || rc=1
  } >"${services_dir:-/tmp}/apt.log" 2>&1
  [ -z "$mine" ] || rm -f "$policy"
  [ "$rc" = 0 ] || { services_say "apt-get install $1 failed:" && tail -5 "${services_dir:-/tmp}/apt.log" >&2; }
  return "$rc"
}

services_container() {
  command -v docker >/dev/null && docker info >/dev/null 2>&1 || return 1
  local password id port n probe
  password=$(services_password)
  if [ "$1" = postgres ]; then
    id=$(docker run -d --rm -p 127.0.0.1::5432 -e POSTGRES_PASSWORD="$password" postgres:17-alpine -c max_connections=300) || return 1
    port=$(docker port "$id" 5432/tcp | head -1)
    probe="pg_isready -h 127.0.0.1 -U postgres"
    TEST_POSTGRES_URL="postgres://postgres:$password@$port/postgres?sslmode=disable"
  else
    id=$(docker run -d --rm -p 127.0.0.1::6379 valkey/valkey:8-alpine valkey-server --requirepass "$password" --save '') || return 1
    port=$(docker port "$id" 6379/tcp | head -1)
    probe="valkey-cli ping"
    TEST_REDIS_URL="redis://default:$password@$port/0"
  fi
  echo "$id" >>"$services_dir/containers"
  for n in $(seq 120); do
    # shellcheck disable=SC2086 # the probe is several words
    if docker exec "$id" $probe >/dev/null 2>&1; then
      services_say "$1 in a container on $port"
      return
    fi
    sleep 0.5
  done
  services_say "the $1 container did not become ready:" && docker logs "$id" >&2
  return 1
}

# --- the end ------------------------------------------------------------------

# services_stop ends what its folder names, and removes the folder. It knows
# nothing but the folder, so that the guard can do the same.
services_stop() {
  local dir=$1 id pid
  [ -n "$dir" ] && [ -d "$dir" ] || return 0
  pid=$(head -1 "$dir/postgres/postmaster.pid" 2>/dev/null) && services_end QUIT "$pid" # QUIT: at once, nothing is kept
  pid=$(cat "$dir/redis.pid" 2>/dev/null) && services_end TERM "$pid"
  for id in $(cat "$dir/containers" 2>/dev/null); do
    docker rm -f "$id" >/dev/null 2>&1 || true
  done
  rm -rf "$dir"
}

# services_end sends a signal and waits, five seconds at most.
services_end() {
  local n
  kill "-$1" "$2" 2>/dev/null || return 0
  for n in $(seq 100); do
    kill -0 "$2" 2>/dev/null || return 0
    sleep 0.05
  done
  kill -KILL "$2" 2>/dev/null || true
}

# services_guard stops the services of a run that was killed outright.
services_guard() {
  local apart=
  ! command -v setsid >/dev/null || apart=setsid
  $apart bash -c '
    trap "" INT HUP TERM
    . "$1"
    while kill -0 "$2" 2>/dev/null && [ -d "$3" ]; do sleep 1; done
    services_stop "$3"' services "${BASH_SOURCE[0]}" "$$" "$services_dir" </dev/null >/dev/null 2>&1 &
}
