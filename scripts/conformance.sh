#!/usr/bin/env bash
# Starts Keystone for the OpenID conformance suite and says what to put into the suite:
#   scripts/conformance.sh [PORT]
# https with a certificate of its own, an empty database that is thrown away, the
# clients and the user of testdata/conformance/keystone.json with fresh secrets.
# Runs until it is interrupted.
#   NAME    host name in the issuer, as the suite sees this machine  (localhost)
#   LISTEN  address to listen on                                      (127.0.0.1)
#   SUITE   where the suite runs                    (https://localhost.emobix.co.uk:8443)
#           hosted: https://www.certification.openid.net
#   ALIAS   the alias in the suite                                    (keystone)
#   SUITE_CA  PEM file of the suite's certificate, for back-channel logout
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

# key N writes the private and the public JWK of a new P-256 key of client N as sed
# commands: of PKCS #8 in DER, the private number begins at byte 36, the point ends it.
key() {
  if command -v openssl >/dev/null 2>&1; then
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>>"$dir/openssl.log" | openssl pkcs8 -topk8 -nocrypt -outform DER >"$dir/key.der"
  else
    local program
    program=$(go env GOROOT)/src/crypto/tls/generate_cert.go
    (cd "$dir" && go run "$program" -ecdsa-curve P256 -host x >&2 && sed '/-----/d' key.pem | base64 -d >key.der)
  fi
  part() { tail -c "$1" "$dir/key.der" | head -c 32 | base64 | tr '+/' '-_' | tr -d '=\n'; }
  local public
  public="\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"conformance-$1\",\"x\":\"$(part 64)\",\"y\":\"$(part 32)\""
  printf 's|"{PUBLIC_%s}"|{%s}|g\ns|"{PRIVATE_%s}"|{%s,"d":"%s"}|g\n' "$1" "$public" "$1" "$public" "$(part +37)"
  rm "$dir/key.der"
}

certificate() {
  if command -v openssl >/dev/null 2>&1; then
    local kind=DNS
    [[ $name =~ ^[0-9.]+$ ]] && kind=IP
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$name" \
      -addext "subjectAltName=$kind:$name,DNS:localhost,IP:127.0.0.1" -keyout "$dir/tls.key" -out "$dir/tls.crt" 2>"$dir/openssl.log" ||
      { cat "$dir/openssl.log" >&2; return 1; }
  else # the program that comes with Go
    local program
    program=$(go env GOROOT)/src/crypto/tls/generate_cert.go
    (cd "$dir" && go run "$program" -ecdsa-curve P256 -duration 720h -host "$name,localhost,127.0.0.1" && mv cert.pem tls.crt && mv key.pem tls.key) >&2
  fi
}
certificate

cat >"$dir/keystone.conf" <<CONF
ISSUER=$issuer
HOST=${LISTEN:-127.0.0.1}
PORT=$port
MANAGEMENT_ADDR=127.0.0.1:0
DATA_DIR=$dir/data
TLS_CERT_FILE=$dir/tls.crt
TLS_KEY_FILE=$dir/tls.key
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
  for n in 6 7 8 9; do key "$n"; done
} >"$fill"
for file in testdata/conformance/*.json; do
  sed -f "$fill" "$file" >"$dir/$(basename "$file")"
done
rm "$fill"

# Nothing of the environment reaches Keystone: a DATABASE_URL in it would win.
settled=(env -i "PATH=$PATH" "HOME=${HOME:-/}" "$keystone" --config "$dir/keystone.conf")
"${settled[@]}" import "$dir/keystone.json" >"$dir/import.log" || { cat "$dir/import.log" >&2; exit 1; }
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
fapi='[client_auth_type=private_key_jwt][sender_constrain=dpop][openid=openid_connect][fapi_profile=plain_fapi]'
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
  fapi2-security-profile-final-test-plan$fapi[fapi_request_method=unsigned][fapi_response_mode=plain_response]
                                                                                          $dir/fapi2.json
  fapi2-message-signing-final-test-plan$fapi[fapi_request_method=signed_non_repudiation][fapi_response_mode=jarm]
                                                                                          $dir/fapi2-message-signing.json

The suite must reach $issuer: a suite in a container needs LISTEN=0.0.0.0 and NAME=host.docker.internal or alike.
It does not check the certificate ($dir/tls.crt); a browser has to be told to accept it.
Back-channel logout: Keystone checks the suite's certificate; give it with SUITE_CA=FILE.
All of this, secrets included, is gone when this ends (interrupt it).
TEXT
wait "$server" || { server=; exit 1; }
