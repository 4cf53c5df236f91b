# What `moto` and `s3rver` have in common: an S3 server of a registry, one process for http and one for
# https, on loopback, with data that end with it. Each of them sets NAME, HERE, STATE, PORT, ACCESS_KEY,
# SECRET_KEY, and has functions install_packages, missing and command_of.

HTTP=http://127.0.0.1:$PORT
HTTPS=https://localhost:$((PORT + 1))

main() {
  mkdir -p "$STATE"
  STATE=$(cd "$STATE" && pwd)
  unset "${!AWS_@}"
  export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
  case ${1:-} in
    install) install_packages && say 'is installed' ;;
    up) up ;;
    env) environment ;;
    status) status ;;
    down) down ;;
    wipe) wipe ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 2 ;;
  esac
}

up() {
  local tool scheme
  for tool in openssl curl; do command -v "$tool" >/dev/null || die "$tool is missing"; done
  if missing; then die "is not installed: run $0 install"; fi
  mkdir -p "$STATE"/{run,log,tls,data/http,data/https}
  make_certificate
  for scheme in http https; do start "$scheme"; done
  for scheme in http https; do await "$scheme"; done
  say "is up: $HTTP and $HTTPS"
}

environment() {
  local prefix=APUS_LIVE_${NAME^^}
  cat <<END
export ${prefix}_HTTP='$HTTP'
export ${prefix}_HTTPS='$HTTPS'
export ${prefix}_CA='$STATE/tls/ca.pem'
export ${prefix}_ACCESS_KEY='$ACCESS_KEY'
export ${prefix}_SECRET_KEY='$SECRET_KEY'
END
}

status() {
  local scheme verdict=0
  for scheme in http https; do
    if answers "$scheme"; then echo "$scheme: answers"; else echo "$scheme: down"; verdict=1; fi
  done
  return "$verdict"
}

down() {
  local scheme
  for scheme in http https; do stop "$scheme"; done
}

wipe() {
  down
  rm -rf -- "$STATE"/{run,log,tls,data}
}

make_certificate() {
  [ -s "$STATE/tls/server.pem" ] && return
  (
    cd "$STATE/tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=apus live authority' \
      -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >extensions
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
      -extfile extensions -out server.pem
    rm -f server.csr extensions
  ) >>"$STATE/log/tls.log" 2>&1
}

start() { # scheme : unless it runs
  if running "$1"; then return; fi
  local -a command
  command_of "$1"
  setsid "${command[@]}" </dev/null >>"$STATE/log/$1.log" 2>&1 9>&- &
  echo $! >"$STATE/run/$1.pid"
}

await() { # scheme : until it answers; fails when it ends
  for _ in $(seq 1 300); do
    lives "$1" || die "ended, see $STATE/log/$1.log"
    answers "$1" && return
    sleep 0.2
  done
  die "does not answer, see $STATE/log/$1.log"
}

answers() { # scheme : any response is one
  local url=$HTTP
  if [ "$1" = https ]; then url=$HTTPS; fi
  curl -s -m 5 -o /dev/null --cacert "$STATE/tls/ca.pem" "$url/"
}

lives() { # scheme : has its process not ended? Just after its start it is not yet the program itself.
  kill -0 "$(cat "$STATE/run/$1.pid")"
} 2>/dev/null

running() { # scheme : is the process of its pid file one of ours?
  local file=$STATE/run/$1.pid
  [ -s "$file" ] && tr '\0' ' ' <"/proc/$(cat "$file")/cmdline" | grep -qF -- "$STATE/"
} 2>/dev/null

stop() { # scheme
  local pid
  if running "$1"; then
    pid=$(cat "$STATE/run/$1.pid")
    kill -- "-$pid"
    for _ in $(seq 1 50); do running "$1" || break; sleep 0.1; done
    if running "$1"; then kill -9 -- "-$pid"; fi
    say "$1 stopped"
  fi
  rm -f "$STATE/run/$1.pid"
}

say() { printf '%s: %s\n' "$NAME" "$*" >&2; }
die() { say "$*"; exit 1; }
