# The functions that every compiled step is made of. POSIX sh (dash); needs
# coreutils, grep, sed and, for units, systemd; zstd where it is there.
#
# fd 3: events for the console (and nothing else); fd 4: the channel from the
# console; stdout and stderr of everything that runs here: the log.
set -u
umask 022
LC_ALL=C
PATH=${FLOTILLA_PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export LC_ALL PATH
NL='
'
exec 3>&1 4<&0 1>&2 0</dev/null
FL_BASE=${FLOTILLA_STATE:-/var/lib/flotilla}
FL_STATE=$FL_BASE/$FL_CLUSTER
FL_KEY=start FL_DEPS='' FL_COUNT=0 FL_R='' FL_LOG=$NL FL_MARKS=$NL

fl_emit() { printf '%s %s %s\n' "$FL_NONCE" "$1" "$2" >&3; }
fl_b64() { FL_R=$(printf '%s' "$1" | base64 -w0); }
fl_say() { fl_emit resource "{\"key\":\"$FL_KEY\",\"state\":\"$1\"}"; }
fl_ok() { fl_say ok; }
fl_changing() { fl_say changing; }
fl_changed() { FL_COUNT=$((FL_COUNT + 1)); fl_say changed; }

# fl_fail HINT EXPECTED FOUND: tell why, and stop the whole script.
fl_fail() {
  fl_b64 "$2"; fl_e=$FL_R
  fl_b64 "$(printf '%s' "$3" | tail -c 6000)"
  fl_say failed
  fl_emit failed "{\"key\":\"$FL_KEY\",\"hint_code\":\"$1\",\"expected_b64\":\"$fl_e\",\"found_b64\":\"$FL_R\"}"
  fl_tidy
  exit 1
}

# fl_unwritable PATH: a write to PATH failed; say whether the disk is full or what else.
fl_unwritable() {
  fl_d=$1
  while [ ! -d "$fl_d" ] && [ "${fl_d%/*}" != "$fl_d" ]; do fl_d=${fl_d%/*}; [ -n "$fl_d" ] || fl_d=/; done
  fl_df=$(df -Pk "$fl_d" 2>&1 | tail -n 1)
  # shellcheck disable=SC2086
  set -- "$1" $fl_df
  if [ "${5:-1}" -lt 64 ] 2>/dev/null; then
    fl_fail disk_full "free space for $1" "${5} KiB free on ${7:-$fl_d} (${6:-} used)"
  fi
  fl_fail not_writable "$1 can be written" "$(touch "$fl_d/.flotilla-test" 2>&1; rm -f "$fl_d/.flotilla-test"; printf '%s' "$fl_df")"
}

fl_start() {
  [ -d "$FL_BASE" ] || mkdir -p -m 0700 "$FL_BASE" 2>/dev/null
  [ -d "$FL_STATE/backup" ] || mkdir -p -m 0700 "$FL_STATE/backup" || fl_unwritable "$FL_STATE/backup"
  [ -f "$FL_STATE/undo.log" ] && FL_LOG=$NL$(cat "$FL_STATE/undo.log")$NL
  [ -f "$FL_STATE/marks" ] && FL_MARKS=$NL$(cat "$FL_STATE/marks")$NL
  :
}

# A script that only looked leaves no state folder behind.
fl_tidy() {
  if [ ! -e "$FL_STATE/undo.log" ] && [ ! -e "$FL_STATE/marks" ]; then
    rm -rf "${FL_STATE:?}"
    rmdir "$FL_BASE" 2>/dev/null
  fi
}
fl_done() {
  fl_tidy
  fl_emit done "{\"changed\":$FL_COUNT}"
}

# Marks: small notes of what was made true, by key; the last line of a key counts.
fl_mark_get() {
  case $FL_MARKS in
    *"$NL$1 "*) FL_R=${FL_MARKS##*"$NL$1 "}; FL_R=${FL_R%%"$NL"*} ;;
    *) FL_R='' ;;
  esac
}
fl_mark_put() {
  printf '%s %s\n' "$1" "$2" >>"$FL_STATE/marks" || fl_unwritable "$FL_STATE/marks"
  FL_MARKS="$FL_MARKS$1 $2$NL"
}
# Before a resource changes, the units that must be restarted for it lose their
# mark: a script that is killed between the change and the restart leaves proof
# that the restart is still owed.
fl_stale() {
  for fl_u in $FL_DEPS; do
    fl_mark_get "unit:$fl_u"
    [ -z "$FL_R" ] || [ "$FL_R" = - ] || fl_mark_put "unit:$fl_u" -
  done
}

# fl_prior KEY KIND FIELD...: what was there before; only the first record of a key counts.
fl_prior() {
  case $FL_LOG in *"$NL$1 "*) return 0 ;; esac
  printf '%s\n' "$*" >>"$FL_STATE/undo.log" || fl_unwritable "$FL_STATE/undo.log"
  FL_LOG="$FL_LOG$*$NL"
  fl_k=$1 fl_i=$2 fl_j=''
  shift 2
  for fl_t; do fl_j="$fl_j,\"$fl_t\""; done
  fl_emit prior "{\"key\":\"$fl_k\",\"kind\":\"$fl_i\",\"args\":[${fl_j#,}]}"
}

# openssl uses the processor's own instructions where coreutils does not: a quarter of the time.
if openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; then
  fl_digest() { nice openssl dgst -sha256 -r; }
else
  fl_digest() { nice sha256sum; }
fi
# But it takes longer to start, which for small files is all that counts.
fl_sha() {
  if [ "$(stat -Lc %s "$1" 2>/dev/null || echo 0)" -gt 1048576 ]; then FL_R=$(fl_digest <"$1" 2>/dev/null)
  else FL_R=$(sha256sum <"$1" 2>/dev/null)
  fi
  FL_R=${FL_R%% *}
  [ -n "$FL_R" ]
}

# fl_prior_path PATH: journal a file or link, keeping the content that is about to be replaced.
fl_prior_path() {
  case $FL_LOG in *"$NL$FL_KEY "*) return 0 ;; esac
  if [ -L "$1" ]; then
    fl_b64 "$(readlink "$1")"
    fl_prior "$FL_KEY" link "$1" "$FL_R"
  elif [ -f "$1" ]; then
    fl_sha "$1"
    fl_h=$FL_R
    if [ ! -f "$FL_STATE/backup/$fl_h" ]; then
      cp -p "$1" "$FL_STATE/backup/.new" && mv -f "$FL_STATE/backup/.new" "$FL_STATE/backup/$fl_h" ||
        fl_unwritable "$FL_STATE/backup"
    fi
    # shellcheck disable=SC2046
    fl_prior "$FL_KEY" file "$1" present $(stat -c '%a %u:%g' "$1") "$fl_h"
  elif [ -e "$1" ]; then
    fl_fail wrong_type "a file at $1, or nothing" "$(stat -c %F "$1")"
  else
    fl_prior "$FL_KEY" file "$1" absent
  fi
}

# fl_parents PATH: make the folders above PATH, each with its own record.
fl_parents() {
  fl_p=${1%/*}
  [ -z "$fl_p" ] || [ -d "$fl_p" ] && return 0
  fl_list=''
  while [ -n "$fl_p" ] && [ ! -d "$fl_p" ]; do fl_list="$fl_p $fl_list"; fl_p=${fl_p%/*}; done
  for fl_p in $fl_list; do
    fl_prior "dir:$fl_p" dir "$fl_p" absent
    mkdir -m 0755 "$fl_p" || fl_unwritable "$fl_p"
  done
}

# fl_same PATH MODE OWNER: a plain file with this mode and owner is there.
fl_same() { [ -f "$1" ] && [ ! -L "$1" ] && [ "$(stat -c '%a %U:%G' "$1")" = "$2 $3" ]; }

# fl_owned PATH MODE OWNER: give a file its mode and owner; most have them from their birth, and a
# process more for each of many files is most of what a step costs.
fl_owned() {
  fl_has=$(stat -c '%a %U:%G' "$1")
  [ "${fl_has%% *}" = "$2" ] || chmod "$2" "$1" || return 1
  [ "${fl_has#* }" = "$3" ] || chown "$3" "$1"
}

# fl_place TEMP PATH MODE OWNER SHA: put a finished small file in place at once.
fl_place() {
  fl_owned "$1" "$3" "$4" && mv -fT "$1" "$2" || fl_unwritable "$2"
  FL_R=$(sha256sum <"$2" 2>/dev/null)
  FL_R=${FL_R%% *}
  [ "$FL_R" = "$5" ] || fl_fail checksum "$2 with SHA-256 $5" "SHA-256 ${FL_R:-none}"
}

# fl_file PATH MODE OWNER SHA CONTENT
fl_file() {
  if fl_same "$1" "$2" "$3" && fl_sha "$1" && [ "$FL_R" = "$4" ]; then fl_ok; return; fi
  fl_changing
  fl_parents "$1"
  fl_prior_path "$1"
  fl_stale
  fl_t=${1%/*}/.${1##*/}.flotilla
  [ "$2" = 644 ] || umask 077
  printf '%s' "$5" >"$fl_t" || fl_unwritable "$1"
  umask 022
  fl_place "$fl_t" "$1" "$2" "$3" "$4"
  fl_changed
}

# fl_receive TEMP SIZE SHA PAYLOAD PACKED: ask the console for a file and check it.
fl_receive() {
  fl_free=$(df -Pk "${1%/*}" | awk 'NR==2 {print $4}')
  [ "${fl_free:-0}" -gt $(($2 / 1024 + 1024)) ] ||
    fl_fail disk_full "$(($2 / 1048576 + 1)) MiB free for $1" "$((${fl_free:-0} / 1024)) MiB free on $(df -Pk "${1%/*}" | awk 'NR==2 {print $6}')"
  fl_packed=false fl_travels=$2
  ! command -v zstd >/dev/null || fl_packed=true fl_travels=$5
  fl_emit want "{\"payload\":$4,\"key\":\"$FL_KEY\",\"packed\":$fl_packed}"
  # What the host is there for comes first: copies only take what it leaves.
  if $fl_packed; then head -c "$fl_travels" <&4 | nice zstd -dcq >"$1"
  else head -c "$fl_travels" <&4 >"$1"
  fi
  fl_sum=$(fl_digest <"$1")
  fl_size=$(stat -c %s "$1" 2>/dev/null)
  if [ "${fl_size:-0}" = "$2" ] && [ "${fl_sum%% *}" = "$3" ]; then return; fi
  # What is not whole is not kept: it is nothing to run, and would keep a full disk full.
  fl_free=$(df -Pk "${1%/*}" | awk 'NR==2 {print $4}')
  rm -f "$1"
  if [ "${fl_size:-0}" -lt "$2" ] && [ "${fl_free:-0}" -le 64 ]; then
    fl_fail disk_full "$2 bytes for $1" "$fl_free KiB free on $(df -Pk "${1%/*}" | awk 'NR==2 {print $6}')"
  fi
  [ "${fl_size:-0}" = "$2" ] || fl_fail checksum "$2 bytes" "${fl_size:-0} bytes arrived"
  fl_fail checksum "SHA-256 $3" "SHA-256 ${fl_sum%% *}"
}

# fl_upload PATH MODE OWNER SHA SIZE PAYLOAD PACKED
fl_upload() {
  if fl_same "$1" "$2" "$3"; then
    # Hashing all programs takes seconds. The mark says with which size, times and inode this
    # digest was found; a write, however it is done, moves the change time.
    fl_seen="$4 $(stat -c '%s %.9Y %.9Z %i' "$1")"
    fl_mark_get "$FL_KEY"
    if [ "$FL_R" = "$fl_seen" ]; then fl_ok; return; fi
    if [ "$(stat -c %s "$1")" = "$5" ] && fl_sha "$1" && [ "$FL_R" = "$4" ]; then
      fl_mark_put "$FL_KEY" "$fl_seen"
      fl_ok
      return
    fi
  fi
  fl_changing
  fl_parents "$1"
  fl_prior_path "$1"
  fl_stale
  fl_t=${1%/*}/.${1##*/}.flotilla
  fl_receive "$fl_t" "$5" "$4" "$6" "$7"
  fl_owned "$fl_t" "$2" "$3" && mv -fT "$fl_t" "$1" || fl_unwritable "$1"
  fl_mark_put "$FL_KEY" "$4 $(stat -c '%s %.9Y %.9Z %i' "$1")"
  fl_changed
}

# fl_dir PATH MODE OWNER KIND; MODE -: as it is; KIND tree: what is inside is ours too and goes with it.
fl_dir() {
  fl_m=$2
  if [ "$2" = - ]; then
    fl_m=755
    [ ! -d "$1" ] || fl_m=$(stat -c %a "$1")
  fi
  if [ -d "$1" ] && [ "$(stat -c '%a %U:%G' "$1")" = "$fl_m $3" ]; then
    # Programs fill such a folder later; whether it was empty must be known before they do.
    [ "$4" = tree ] && fl_prior_tree "$1"
    fl_ok
    return
  fi
  fl_changing
  fl_parents "$1"
  if [ "$4" = tree ]; then fl_prior_tree "$1"
  elif [ -d "$1" ]; then
    # shellcheck disable=SC2046
    fl_prior "$FL_KEY" dir "$1" present $(stat -c '%a %u:%g' "$1")
  elif [ -e "$1" ] || [ -L "$1" ]; then fl_fail wrong_type "a folder at $1" "$(stat -c %F "$1")"
  else fl_prior "$FL_KEY" dir "$1" absent
  fi
  [ -d "$1" ] || mkdir -m "$fl_m" "$1" || fl_unwritable "$1"
  fl_owned "$1" "$fl_m" "$3" || fl_unwritable "$1"
  fl_changed
}
fl_prior_tree() {
  case $FL_LOG in *"$NL$FL_KEY "*) return 0 ;; esac
  if [ ! -e "$1" ]; then fl_w=absent
  elif [ -z "$(ls -A "$1" 2>/dev/null)" ]; then fl_w=empty
  else fl_w=kept
  fi
  if [ "$fl_w" = absent ]; then fl_prior "$FL_KEY" tree "$1" absent
  # shellcheck disable=SC2046
  else fl_prior "$FL_KEY" tree "$1" "$fl_w" $(stat -c '%a %u:%g' "$1")
  fi
}

# fl_link PATH TARGET
fl_link() {
  if [ -L "$1" ] && [ "$(readlink "$1")" = "$2" ]; then fl_ok; return; fi
  fl_changing
  fl_parents "$1"
  fl_prior_path "$1"
  fl_stale
  ln -sfn "$2" "${1%/*}/.${1##*/}.flotilla" && mv -fT "${1%/*}/.${1##*/}.flotilla" "$1" || fl_unwritable "$1"
  [ "$(readlink "$1")" = "$2" ] || fl_fail wrong_type "$1 -> $2" "$(readlink "$1")"
  fl_changed
}

# fl_run COMMANDS: run them with their output in the log; status in FL_R, last lines in fl_out.
fl_run() {
  { (eval "$1") 2>&1 3>&- 4<&-; printf '%s' "$?" >"$FL_STATE/.status"; } | tee "$FL_STATE/.output" 3>&- 4<&-
  FL_R=$(cat "$FL_STATE/.status")
  fl_out=$(tail -n 20 "$FL_STATE/.output" | tail -c 4000)
  rm -f "$FL_STATE/.status" "$FL_STATE/.output"
  [ "$FL_R" = 0 ]
}
fl_quiet() { (eval "$1") >/dev/null 2>&1 3>&- 4<&-; }

# fl_command MARK GUARD COMMANDS; MARK '-': none; GUARD '': none.
fl_command() {
  fl_mark_get "$FL_KEY"
  if [ "$1$2" != - ] && { [ "$1" = - ] || [ "$FL_R" = "$1" ]; } && { [ -z "$2" ] || fl_quiet "$2"; }; then
    fl_ok
    return
  fi
  fl_changing
  fl_stale
  fl_run "$3" || fl_fail command_failed "exit status 0" "exit status $FL_R$NL$fl_out"
  [ "$1" = - ] || fl_mark_put "$FL_KEY" "$1"
  [ -z "$2" ] || fl_quiet "$2" || fl_fail not_effective "$2" "not so after the commands"
  fl_changed
}

# fl_probe EXPECTED HINT COMMANDS: look, and leave everything as it was.
fl_probe() {
  fl_run "$3" || fl_fail "$2" "$1" "$fl_out"
  fl_ok
}

# fl_wait SECONDS UNITS EXPECTED CONDITION DIAGNOSIS
fl_wait() {
  if fl_quiet "$4"; then fl_ok; return; fi
  fl_changing
  fl_count_restarts "$2"
  fl_end=$(($(date +%s) + $1))
  fl_tick=0
  until fl_quiet "$4"; do
    if [ "$(date +%s)" -ge "$fl_end" ]; then
      fl_run "${5:-:}" >/dev/null 2>&1
      fl_fail timeout "$3" "not so after $1 seconds$NL$fl_out"
    fi
    fl_tick=$(((fl_tick + 1) % 10))
    # A unit that keeps dying will not get better by waiting.
    if [ "$fl_tick" = 0 ]; then for fl_u in $2; do fl_dying "$fl_u" && fl_unit_failed "$fl_u"; done; fi
    sleep 0.15
  done
  fl_ok
}
