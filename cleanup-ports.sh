#!/bin/sh
# Ends replicas that an earlier run of Barista left behind; see usage below.
#
# What it relies on:
# - A run id is MASTERPID-RANDOM, and every replica a master starts has `server ... --lifeline --run-id RUNID` on its
#   command line. The kernel gives a process another parent only when its own is gone, so a replica whose parent is not
#   MASTERPID has lost its master.
# - A record of each run lies in barista-runs-UID/RUNID (master/run-records.ts says what is in it).
#
# A command line is looked at right before its process is ended, as a pid may have been given to another program since.
set -u

usage() {
  cat <<'END'
usage: ./cleanup-ports.sh [--dry-run]

Ends replicas of Barista that an earlier run left behind: those in the records of
runs whose master is gone, and those that listen on the ports 6262-6280 (used by
`barista master --base-port 6262`) whose master is gone. Replicas of a master that
is alive, and every other program, are left alone.

  -n, --dry-run  say what would be ended, and end nothing
  -h, --help     show this

Exit status: 0; 1 if a replica could not be ended; 2 for wrong options.
END
}

dry_run=false
for option in "$@"; do
  case $option in
    -n | --dry-run) dry_run=true ;;
    -h | --help) usage; exit 0 ;;
    *) echo "cleanup-ports.sh: unknown option $option; see --help" >&2; exit 2 ;;
  esac
done

port_min=6262
port_max=6280
uid=$(id -u)
seen=' '
ended=0
failed=0

# The command line of process $1 and a blank; nothing if it is gone. Slim systems have no ps, macOS has no /proc.
args_of() {
  if [ -r /proc/self/cmdline ]; then
    tr '\0\n' '  ' <"/proc/$1/cmdline"
  else
    ps -ww -o args= -p "$1" | sed 's/$/ /'
  fi 2>/dev/null
}

parent_of() {
  if [ -r /proc/self/stat ]; then
    # The name before the state stands in parentheses and may hold any character.
    tr '\n' ' ' <"/proc/$1/stat" | sed 's/.*) [A-Za-z] \([0-9]*\) .*/\1/'
  else
    ps -o ppid= -p "$1" | tr -d ' '
  fi 2>/dev/null
}

is_replica() { # PID RUN
  case $(args_of "$1") in
    *" server "*" --lifeline --run-id $2 "*) true ;;
    *) false ;;
  esac
}

is_run_id() {
  expr "X$1" : 'X[1-9][0-9]*-[0-9a-f][0-9a-f]*$' >/dev/null
}

# Waits up to 5 s; an ended process may stay in the table until its parent takes note, but has no command line then.
wait_until_gone() { # PID RUN
  tries=0
  while is_replica "$1" "$2"; do
    tries=$((tries + 1))
    [ "$tries" -le 50 ] || return 1
    sleep 0.1 2>/dev/null || sleep 1
  done
}

# Ends a replica unless its master lives. Does nothing if the process is no longer this replica.
end_replica() { # PID PORT RUN ID
  case $seen in *" $1 "*) return ;; esac
  is_replica "$1" "$3" || return
  seen="$seen$1 "
  where="pid $1"
  [ "$2" = 0 ] || where="$where, port $2"
  if [ "$(parent_of "$1")" = "${3%%-*}" ]; then
    echo "left alone replica $4 ($where) of run $3: its master (pid ${3%%-*}) is alive"
  elif "$dry_run"; then
    echo "would end replica $4 ($where) of run $3"
    ended=$((ended + 1))
  else
    reason=$(kill -9 "$1" 2>&1)
    if wait_until_gone "$1" "$3"; then
      echo "ended replica $4 ($where) of run $3"
      ended=$((ended + 1))
    else
      echo "cleanup-ports.sh: could not end replica $4 ($where) of run $3: ${reason:-it did not end}" >&2
      failed=$((failed + 1))
    fi
  fi
}

# Prints PID PORT ID for each replica that has not exited, by the record $1.
replicas_in() {
  awk '
    $1 == "replica" && $2 ~ /^[1-9][0-9]*$/ && $3 ~ /^[0-9]+$/ {
      id = $0
      sub(/^replica [0-9]+ [0-9]+ /, "", id)
      replica[$2] = $2 " " $3 " " id
    }
    $1 == "exited" { delete replica[$2] }
    END { for (pid in replica) print replica[pid] }
  ' "$1" | sort -n
}

end_recorded() { # RECORD
  run=${1##*/}
  is_run_id "$run" || return
  failed_before=$failed
  while read -r pid port id; do
    [ -z "$pid" ] || end_replica "$pid" "$port" "$run" "$id"
  done <<END
$(replicas_in "$1")
END
  if ! "$dry_run" && [ "$failed" = "$failed_before" ] && ! kill -0 "${run%%-*}" 2>/dev/null; then
    rm -f -- "$1"
  fi
}

# In a directory that others may write to, a name may have been planted: only a directory of our own that nobody else
# can write to is believed. `find` does not follow a link.
end_all_recorded() { # DIRECTORY
  [ -n "$(find "$1" -prune -type d -user "$uid" ! -perm -020 ! -perm -002 2>/dev/null)" ] || return
  for record in "$1"/*; do
    if [ -f "$record" ] && [ ! -L "$record" ]; then end_recorded "$record"; fi
  done
}

# Prints PORT PID for each listener in the range; PID is - if this user may not see it.
listeners() {
  if command -v ss >/dev/null 2>&1; then
    ss -H -l -t -n -p "sport >= :$port_min and sport <= :$port_max" | awk '
      {
        port = $4
        sub(/.*:/, "", port)
        if (!/pid=/) print port, "-"
        while (match($0, /pid=[0-9]+/)) {
          print port, substr($0, RSTART + 4, RLENGTH - 4)
          $0 = substr($0, RSTART + RLENGTH)
        }
      }'
  elif command -v lsof >/dev/null 2>&1; then
    lsof -nP -iTCP:"$port_min-$port_max" -sTCP:LISTEN -Fpn 2>/dev/null | awk '
      /^p/ { pid = substr($0, 2) }
      /^n/ { sub(/.*:/, ""); print $0, pid }'
  else
    echo "cleanup-ports.sh: neither ss nor lsof is here, so only recorded runs were looked at" >&2
  fi | sort -u
}

end_listener() { # PORT PID
  if [ "$2" = - ]; then
    echo "left alone port $1: it is in use by a process this user may not see"
    return
  fi
  args=$(args_of "$2")
  run=$(printf '%s\n' "$args" | sed -n 's/.* server .* --lifeline --run-id \([^ ]*\) .*/\1/p')
  case $args in *node*) ;; *) run= ;; esac
  if is_run_id "$run"; then
    end_replica "$2" "$1" "$run" "$(printf '%s\n' "$args" | sed -n 's/.* server .*--id \(.*\) --port .*/\1/p')"
  elif [ -n "$args" ]; then
    echo "left alone port $1: it is in use by pid $2 ($(printf "%.80s" "${args% }" | tr -d "[:cntrl:]")), not a replica of a master"
  fi
}

temporary=${TMPDIR:-${TMP:-${TEMP:-/tmp}}}
for directory in "${XDG_RUNTIME_DIR:-$temporary}" "$temporary"; do
  end_all_recorded "${directory%/}/barista-runs-$uid"
done
while read -r port pid; do
  [ -z "$port" ] || end_listener "$port" "$pid"
done <<END
$(listeners)
END

[ "$ended" != 0 ] || [ "$failed" != 0 ] || echo "nothing to end"
[ "$failed" = 0 ]
