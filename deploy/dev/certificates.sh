#!/usr/bin/env bash
# Certificates for tests and development, good for a week and for this machine only.
#
#   certificates.sh DIR   makes in DIR:
#     ca.crt                     the authority that signed the others
#     server.crt, server.key     for localhost and 127.0.0.1
#     server.pem                 both in one file, as Kafka wants them
#     client.crt, client.key     for a client that is asked who it is
#     stranger.crt               another authority, which signed nothing
set -euo pipefail

main() {
  [ $# -eq 1 ] || {
    sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
  }
  mkdir -p "$1"
  cd "$1"
  authority ca
  authority stranger
  printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1' 'basicConstraints=CA:FALSE' \
    'extendedKeyUsage=serverAuth,clientAuth' >extensions
  signed server
  signed client
  cat server.key server.crt >server.pem
}

authority() {
  quietly openssl req -x509 "${key[@]}" -days 7 -subj "/CN=tallyhook-dev-$1" \
    -keyout "$1.key" -out "$1.crt"
}

signed() {
  quietly openssl req "${key[@]}" -subj "/CN=tallyhook-dev-$1" -keyout "$1.key" -out "$1.csr"
  quietly openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 7 \
    -extfile extensions -out "$1.crt"
}

# What openssl tells of its progress is shown only where it fails.
quietly() {
  "$@" >openssl.log 2>&1 || {
    cat openssl.log >&2
    exit 1
  }
}

key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
main "$@"
