#!/usr/bin/env bash
# Starts Keystone for the OpenID conformance suite and says what to put into the suite:
#   scripts/conformance.sh [PORT]
# https with a certificate of its own, an empty database that is thrown away, the
# clients and people of testdata/conformance with fresh secrets, keys and certificates.
# Runs until it is interrupted. Needs openssl.
#   NAME    host name in the issuer, as the suite sees this machine  (localhost)
#   LISTEN  address to listen on                                      (127.0.0.1)
#   SUITE   where the suite runs                    (https://localhost.emobix.co.uk:8443)
#           hosted: https://www.certification.openid.net
#   ALIAS   the alias in the suite                                    (keystone)
#   SUITE_CA  PEM file of the suite's certificate, for back-channel logout and CIBA pings
#   KEYSTONE  a binary that is built already
set -euo pipefail
cd "$(dirname "$0")/.."

port=${1:-9443}
name=${NAME:-localhost}
suite=${SUITE:-https://localhost.emobix.co.uk:8443}
alias=${ALIAS:-keystone}
issuer=https://$name:$port
keystone=${KEYSTONE:-bin/keystone}
[ -n "${KEYSTONE:-}" ] || make -s build

umask 077
dir=$(mktemp -d)
server=
clean() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  rm -rf "$dir"
}
trap clean EXIT
trap 'exit 0' INT TERM

random() { # 43 characters: 256 bits
  head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'
}

ssl() { # openssl, which says something only where it fails
  openssl "$@" 2>"$dir/openssl.log" || { cat "$dir/openssl.log" >&2; return 1; }
}

# key N writes the private and the public JWK of a new P-256 key of client N as sed
# commands: of PKCS #8 in DER, the private number begins at byte 36, the point ends it.
key() {
  ssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/key.pem"
  ssl pkcs8 -topk8 -nocrypt -in "$dir/key.pem" -outform DER -out "$dir/key.der"
  part() { tail -c "$1" "$dir/key.der" | head -c 32 | base64 | tr '+/' '-_' | tr -d '=\n'; }
  local public
  public="\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"conformance-$1\",\"x\":\"$(part 64)\",\"y\":\"$(part 32)\""
  printf 's|"{PUBLIC_%s}"|{%s}|g\ns|"{PRIVATE_%s}"|{%s,"d":"%s"}|g\n' "$1" "$public" "$1" "$public" "$(part +37)"
  rm "$dir/key.pem" "$dir/key.der"
}

pem() { # PLACEHOLDER FILE: the file as a JSON text, as a sed command
  local line
  printf 's|{%s}|' "$1"
  while read -r line; do printf '%s\\\\n' "$line"; done <"$2"
  printf '|g\n'
}

# certificate N writes those of client N and their authority as sed commands.
certificate() {
  ssl req -newkey rsa:2048 -nodes -subj "/CN=conformance-$1" -keyout "$dir/client.key" -out "$dir/client.csr"
  echo extendedKeyUsage=clientAuth >"$dir/client.ext"
  ssl x509 -req -in "$dir/client.csr" -CA "$dir/client-ca.crt" -CAkey "$dir/client-ca.key" -CAcreateserial -days 30 -extfile "$dir/client.ext" -out "$dir/client.crt"
  pem "CERT_$1" "$dir/client.crt"
  pem "KEY_$1" "$dir/client.key"
}

# RSA: the suite offers the cipher suites of FAPI 1.0, which know nothing else.
kind=DNS
[[ $name =~ ^[0-9.]+$ ]] && kind=IP
ssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$name" -addext "subjectAltName=$kind:$name,DNS:localhost,IP:127.0.0.1" -keyout "$dir/tls.key" -out "$dir/tls.crt"
ssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=Conformance clients" -keyout "$dir/client-ca.key" -out "$dir/client-ca.crt"

cat >"$dir/keystone.conf" <<CONF
ISSUER=$issuer
HOST=${LISTEN:-127.0.0.1}
PORT=$port
MANAGEMENT_ADDR=127.0.0.1:0
DATA_DIR=$dir/data
TLS_CERT_FILE=$dir/tls.crt
TLS_KEY_FILE=$dir/tls.key
TLS_CLIENT_CERTS=true
CLIENT_CA_FILE=$dir/client-ca.crt
REGISTRATION=closed
CLIENT_REGISTRATION=token
SESSION_IFRAME=true
RATE_LIMIT_CLIENT_REGISTRATION=off
RATE_LIMIT_LOGIN=off
RATE_LIMIT_API=off
RATE_LIMIT_TOKEN=off
OUTBOUND_ALLOW=127.0.0.0/8
LOG_LEVEL=warn
CONF
[ -z "${SUITE_CA:-}" ] || printf 'OUTBOUND_CA_FILE=%s\n' "$SUITE_CA" >>"$dir/keystone.conf"

fill=$dir/fill.sed
{
  printf 's|{ISSUER}|%s|g\ns|{SUITE}|%s|g\ns|{ALIAS}|%s|g\ns|{PASSWORD}|%s|g\n' "$issuer" "$suite" "$alias" "$(random)"
  for n in 1 2 3 4 5; do printf 's|{SECRET_%s}|%s|g\n' "$n" "$(random)"; done
  for n in 1 2; do key "$n"; certificate "$n"; done
  pem CA "$dir/client-ca.crt"
} >"$fill"
for file in testdata/conformance/*.json; do
  sed -f "$fill" "$file" >"$dir/$(basename "$file")"
done

# variant TEMPLATE NAME PLAN AUTH BOUND PROFILE MODE makes the clients and the
# configuration of one variant of a plan from the templates, and says what takes it.
number=10
variant() {
  local auth=$4 alg=ES256 dn= notify=
  [ "$auth" = private_key_jwt ] || { auth=tls_client_auth alg='' dn=CN=conformance-; }
  [ "$7" != ping ] || notify=$suite/test/a/$alias/ciba-notification-endpoint
  for n in 1 2; do
    printf 's|{CLIENT_%s}|01900000-0000-7000-8000-%012d|g\ns|{DN_%s}|%s|g\n' "$n" "$number" "$n" "${dn:+$dn$n}"
    number=$((number + 1))
  done >"$dir/variant.sed"
  printf 's|{NAME}|%s|g\ns|{AUTH}|%s|g\ns|{AUTH_ALG}|%s|g\ns|{PROFILE}|%s|g\ns|{MODE}|%s|g\ns|{NOTIFY}|%s|g\ns|"{TLS_BOUND}"|%s|g\n' \
    "$2" "$auth" "$alg" "$6" "$7" "$notify" "$([ "$5" = mtls ] && echo true || echo false)" >>"$dir/variant.sed"
  sed -f "$dir/variant.sed" -f "$fill" "testdata/conformance/variants/$1.json" >"$dir/$2.json"
  sed -f "$dir/variant.sed" -f "$fill" -e '1d;$d' "testdata/conformance/variants/$1-clients.json" >>"$dir/clients.part"
  echo , >>"$dir/clients.part"
  printf '  %s\n      %s\n' "$3" "$dir/$2.json" >>"$dir/plans.txt"
}
for auth in private_key_jwt mtls; do
  for bound in dpop mtls; do
    both="[client_auth_type=$auth][sender_constrain=$bound][openid=openid_connect][fapi_profile=plain_fapi]"
    variant fapi2 "fapi2-security-profile-$auth-$bound" "fapi2-security-profile-final-test-plan$both" "$auth" "$bound" fapi2 ''
    variant fapi2 "fapi2-message-signing-$auth-$bound" "fapi2-message-signing-final-test-plan$both[fapi_request_method=signed_non_repudiation][fapi_response_mode=jarm]" \
      "$auth" "$bound" fapi2-message-signing ''
  done
  for mode in poll ping; do
    variant fapi-ciba "fapi-ciba-$auth-$mode" "fapi-ciba-id1-test-plan[client_auth_type=$auth][fapi_ciba_profile=plain_fapi][ciba_mode=$mode][client_registration=static_client]" \
      "$auth" mtls '' "$mode"
  done
done
{ echo '{"clients": ['; sed '$d' "$dir/clients.part"; echo ']}'; } >"$dir/clients.json"
rm "$fill" "$dir/variant.sed" "$dir/clients.part"

# Nothing of the environment reaches Keystone: a DATABASE_URL in it would win.
settled=(env -i "PATH=$PATH" "HOME=${HOME:-/}" "$keystone" --config "$dir/keystone.conf")
for file in keystone clients; do
  "${settled[@]}" import "$dir/$file.json" >"$dir/import.log" || { cat "$dir/import.log" >&2; exit 1; }
done
token=$("${settled[@]}" --json client registration-token create --name "OpenID conformance suite" --uses 1000 --no-require-pkce \
  --scope openid --scope profile --scope email --scope offline_access | sed -n 's/.*"registration_token": "\(.*\)".*/\1/p')
sed "s|{INITIAL_TOKEN}|$token|g" "$dir/dynamic.json" >"$dir/filled.json" && mv "$dir/filled.json" "$dir/dynamic.json"
"${settled[@]}" serve >"$dir/serve.log" &
server=$!
for _ in $(seq 100); do
  kill -0 "$server" 2>/dev/null || { wait "$server" || true; server=; exit 1; }
  "${settled[@]}" health >/dev/null 2>&1 && break
  sleep 0.1
done

static='[client_registration=static_client]'
cat <<TEXT
Keystone serves $issuer, for a suite at $suite (alias $alias).
Files: $dir

Plans and their configuration (in the suite: Create a new test plan, tab JSON; or scripts/run-test-plan.py PLAN FILE):
  oidcc-config-certification-test-plan                                                   $dir/config.json
  oidcc-basic-certification-test-plan[server_metadata=discovery]$static     $dir/basic.json
  oidcc-formpost-basic-certification-test-plan[server_metadata=discovery]$static  $dir/formpost.json
  oidcc-dynamic-certification-test-plan[response_type=code]                               $dir/dynamic.json
  oidcc-rp-initiated-logout-certification-test-plan[response_type=code]$static    $dir/rp-initiated-logout.json
  oidcc-session-management-certification-test-plan[response_type=code]$static     $dir/rp-initiated-logout.json
  oidcc-backchannel-rp-initiated-logout-certification-test-plan[response_type=code]$static   $dir/backchannel-logout.json
  oidcc-frontchannel-rp-initiated-logout-certification-test-plan[response_type=code]$static  $dir/frontchannel-logout.json
  oidcc-3rdparty-init-login-certification-test-plan[response_type=code]                   $dir/dynamic.json
      (where it waits, open $issuer/oauth2/initiate?client_id=… with the client that it has registered)
$(cat "$dir/plans.txt")

Modules of the FAPI-CIBA plan wait for an answer: give it at $issuer/requests, signed in as conformance (the password is in $dir/basic.json).
The suite must reach $issuer: a suite in a container needs LISTEN=0.0.0.0 and NAME=host.docker.internal or alike.
It does not check the certificate ($dir/tls.crt); a browser has to be told to accept it. Keystone asks for one too: people need none.
Back-channel logout and CIBA pings: Keystone checks the suite's certificate; give it with SUITE_CA=FILE.
All of this, secrets included, is gone when this ends (interrupt it).
TEXT
wait "$server" || { server=; exit 1; }
