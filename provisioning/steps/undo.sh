# Takes a cluster off a host. Continues prelude.sh. Records are lines
# "<key> <kind> <field>..." in the order in which things were changed; they come
# from the console (fl_records) and from the host's own undo.log.

fl_undo() { # RECORDS
  FL_ROOT=${FLOTILLA_ROOT:-}
  FL_KEY=undo
  FL_LEFT=''
  if [ ! -d "$FL_STATE" ]; then
    # Nothing of this cluster is here any more. Another cluster may be: then the
    # console's old records say nothing about this host.
    for fl_x in "$FL_BASE"/*/; do
      if [ -d "$fl_x" ]; then FL_KEY=undo fl_ok; return 0; fi
    done
    if [ -z "$1" ]; then FL_KEY=undo fl_ok; return 0; fi
  fi
  mkdir -p -m 0700 "$FL_STATE/backup" || fl_unwritable "$FL_STATE"
  if [ -f "$FL_STATE/undo.log" ]; then
    FL_ALL=$(printf '%s\n' "$1"; cat "$FL_STATE/undo.log")
  else
    FL_ALL=$1
  fi
  # The first record of a key counts; then last things first.
  FL_ALL=$(printf '%s\n' "$FL_ALL" | awk 'NF >= 3 && !seen[$1]++' | awk '{a[NR] = $0} END {for (i = NR; i > 0; i--) print a[i]}')
  # All at once first: they end side by side.
  # shellcheck disable=SC2046
  systemctl stop $(printf '%s\n' "$FL_ALL" | awk '$2 == "unit" && $3 != "containerd.service" {print $3}') 2>/dev/null
  fl_each fl_undo_stop unit
  fl_vip_remains
  fl_runtime_remains
  fl_each fl_undo_containerd tree
  fl_network_remains
  fl_each fl_undo_file file
  fl_each fl_undo_file link
  systemctl daemon-reload 2>/dev/null
  fl_each fl_undo_package package
  fl_each fl_undo_hosts hosts
  fl_each fl_undo_hostname hostname
  fl_each fl_undo_sysctl sysctl
  fl_each fl_undo_swap swap
  fl_each fl_undo_module module
  fl_each fl_undo_tree tree
  fl_each fl_undo_dir dir
  fl_each fl_undo_start unit
  fl_cgroup_remains
  systemctl daemon-reload 2>/dev/null
  systemctl reset-failed 2>/dev/null
  if [ -n "$FL_LEFT" ]; then
    FL_KEY=undo
    fl_fail left_behind "nothing of the cluster is left" "$FL_LEFT"
  fi
  rm -rf "${FL_STATE:?}"
  rmdir "$FL_BASE" 2>/dev/null
  return 0
}

# fl_each FUNCTION KIND: FUNCTION KEY FIELD... for each record of that kind.
fl_each() {
  fl_fun=$1 fl_kind=$2
  fl_old=$IFS
  IFS=$NL
  set -f
  # shellcheck disable=SC2086
  set -- $FL_ALL
  set +f
  IFS=$fl_old
  for fl_rec; do
    # shellcheck disable=SC2086
    set -f; set -- $fl_rec; set +f
    [ "$2" = "$fl_kind" ] || continue
    FL_KEY=$1
    shift 2
    "$fl_fun" "$@"
  done
}
fl_undone() { FL_COUNT=$((FL_COUNT + 1)); fl_say undone; }
fl_left() { FL_LEFT="$FL_LEFT$1$NL"; echo "left behind: $1"; }
fl_decode() { FL_R=$(printf '%s' "$1" | base64 -d 2>/dev/null); }

# unit NAME ENABLED ACTIVE
fl_undo_stop() {
  # containerd must still answer while the pods are taken down.
  [ "$1" = containerd.service ] && return 0
  fl_on=$(systemctl is-enabled "$1" 2>/dev/null)
  systemctl is-active --quiet "$1" && fl_left "unit $1 is still running"
  if [ "$2" = no ]; then
    case $fl_on in enabled*) systemctl disable -q --no-reload "$1" 2>/dev/null; fl_undone ;; esac
  fi
}
fl_undo_start() {
  [ "$2" = yes ] && ! systemctl is-enabled --quiet "$1" 2>/dev/null && systemctl enable -q --no-reload "$1"
  [ "$3" = yes ] && ! systemctl is-active --quiet "$1" && { systemctl start "$1" || fl_left "unit $1 does not start again"; }
  :
}

# The VIP, which a keepalived that was killed leaves on its interface. Its settings name it.
fl_vip_remains() {
  FL_KEY=runtime:vip
  fl_x=$(sed -n "s/^# cluster $FL_CLUSTER, VIP \([0-9.]*\)\(\/[0-9]*\) on \([^ ]*\)$/\1 \2 \3/p" "$FL_ROOT/etc/keepalived/keepalived.conf" 2>/dev/null)
  if [ -n "$fl_x" ]; then
    # shellcheck disable=SC2086
    set -- $fl_x
    if [ -n "$(ip -o -4 address show dev "$3" to "$1" 2>/dev/null)" ]; then
      ip address del "$1$2" dev "$3" || fl_left "address $1 on $3"
      fl_undone
    fi
  fi
  rm -rf "$FL_ROOT/run/flotilla-vip"
}

# Pods, their shims, and what they have mounted.
fl_runtime_remains() {
  FL_KEY=runtime:pods
  # Only this host's own: hosts that are containers on it have pods too, under another cgroup
  # and in another process namespace.
  fl_pids=$(grep -lsE ':/kubepods' "$FL_ROOT"/proc/[0-9]*/cgroup 2>/dev/null | sed 's,^.*/proc/\([0-9]*\)/cgroup$,\1,')
  fl_shims=''
  fl_ns=$(readlink "$FL_ROOT/proc/self/ns/pid")
  for fl_x in $(grep -ls '^containerd-shim' "$FL_ROOT"/proc/[0-9]*/comm 2>/dev/null); do
    fl_x=${fl_x%/comm}
    [ "$(readlink "$fl_x/ns/pid")" = "$fl_ns" ] || continue
    tr '\0' ' ' <"$fl_x/cmdline" 2>/dev/null | grep -q -e '-namespace k8s.io' && fl_shims="$fl_shims ${fl_x##*/}"
  done
  if [ -n "$fl_pids$fl_shims" ]; then
    # shellcheck disable=SC2086
    kill -9 $fl_pids $fl_shims 2>/dev/null
    fl_n=0
    while [ "$fl_n" -lt 50 ]; do
      fl_alive=''
      for fl_x in $fl_pids $fl_shims; do [ -e "/proc/$fl_x/exe" ] && [ -n "$(readlink "/proc/$fl_x/exe" 2>/dev/null)" ] && fl_alive="$fl_alive $fl_x"; done
      [ -z "$fl_alive" ] && break
      fl_n=$((fl_n + 1))
      sleep 0.1
    done
    fl_undone
  fi
  case $FL_ALL in *"unit:containerd.service unit containerd.service"*)
    case $FL_ALL in *"unit containerd.service no no"* | *"unit containerd.service yes no"*)
      FL_KEY=unit:containerd.service
      systemctl is-active --quiet containerd.service && { systemctl stop containerd.service; fl_undone; } ;;
    esac
    case $FL_ALL in *"unit containerd.service no "*) systemctl disable -q --no-reload containerd.service 2>/dev/null ;; esac ;;
  esac
  FL_KEY=runtime:mounts
  # Dying containers take their own mounts away at the same time: look again before saying
  # that one is left.
  fl_n=0
  fl_mounts=$(fl_our_mounts)
  fl_had=$fl_mounts
  while [ -n "$fl_mounts" ] && [ "$fl_n" -lt 20 ]; do
    [ "$fl_n" = 0 ] || sleep 0.1
    for fl_x in $fl_mounts; do umount "$fl_x" 2>/dev/null || umount -l "$fl_x" 2>/dev/null; done
    fl_mounts=$(fl_our_mounts)
    fl_n=$((fl_n + 1))
  done
  for fl_x in $fl_mounts; do fl_left "mount $fl_x"; done
  rm -f "$FL_ROOT"/run/netns/cni-* 2>/dev/null
  rm -rf "$FL_ROOT/run/containerd/io.containerd.runtime.v2.task/k8s.io" "$FL_ROOT/run/containerd/runc/k8s.io" "$FL_ROOT/run/flannel" "$FL_ROOT/run/kubernetes"
  [ -z "$fl_had" ] || fl_undone
}

# Deepest first. A mount of /var/lib/kubelet itself is the machine's, not ours.
fl_our_mounts() {
  awk '$2 ~ "^/var/lib/kubelet/|^/run/containerd/(io\\.|runc|s/)|^/run/netns/cni-" {print $2}' \
    "$FL_ROOT/proc/self/mounts" 2>/dev/null | sort -r
}

# tree /var/lib/containerd STATE ...: containers and images of other users stay.
fl_undo_containerd() {
  [ "$1" = /var/lib/containerd ] || return 0
  [ "$2" = kept ] || return 0
  systemctl is-active --quiet containerd.service || return 0
  for fl_x in $(ctr -n k8s.io containers ls -q 2>/dev/null); do ctr -n k8s.io containers rm "$fl_x"; done
  for fl_x in $(ctr -n k8s.io images ls -q 2>/dev/null); do ctr -n k8s.io images rm "$fl_x" >/dev/null; done
}

fl_network_remains() {
  FL_KEY=runtime:interfaces
  fl_hit=0
  # Only pods' ends of veth pairs: those on our bridge.
  for fl_x in $(ip -o link show master cni0 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do
    ip link del "$fl_x" 2>/dev/null
    fl_hit=1
  done
  for fl_x in $(ip -o link show 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do
    case $fl_x in
      cni0 | kube-ipvs0 | kube-bridge | kube-dummy-if | flannel.* | cali* | cilium_* | vxlan.calico)
        ip link del "$fl_x" 2>/dev/null || fl_left "interface $fl_x"
        fl_hit=1 ;;
    esac
  done
  [ "$fl_hit" = 0 ] || fl_undone
  FL_KEY=runtime:firewall
  fl_hit=0
  for fl_x in iptables ip6tables iptables-legacy ip6tables-legacy; do
    command -v "$fl_x-save" >/dev/null || continue
    # Asking the legacy tables would load their modules; only look when they are there.
    case $fl_x in *-legacy) grep -qs . "$FL_ROOT/proc/net/ip_tables_names" "$FL_ROOT/proc/net/ip6_tables_names" || continue ;; esac
    fl_rules=$("$fl_x-save" 2>/dev/null)
    case $fl_rules in
      *:KUBE-* | *:CNI-* | *:FLOTILLA-* | *:cali-* | *:FLANNEL-*)
        printf '%s\n' "$fl_rules" | grep -vE '(^:| )(KUBE|CNI|FLOTILLA|cali|FLANNEL)-' | "$fl_x-restore" || fl_left "chains of $fl_x"
        fl_hit=1 ;;
    esac
  done
  if command -v nft >/dev/null; then
    for fl_x in ip ip6; do
      nft list table "$fl_x" kube-proxy >/dev/null 2>&1 && { nft delete table "$fl_x" kube-proxy; fl_hit=1; }
    done
  fi
  [ "$fl_hit" = 0 ] || fl_undone
}

fl_cgroup_remains() {
  find "$FL_ROOT/sys/fs/cgroup" -maxdepth 8 -depth -type d -path '*/kubepods*' -exec rmdir {} \; 2>/dev/null
  :
}

# file PATH absent | file PATH present MODE OWNER SHA; link PATH TARGET
fl_undo_file() {
  rm -f "${1%/*}/.${1##*/}.flotilla"
  if [ "$fl_kind" = link ]; then
    fl_decode "$2"
    [ "$(readlink "$1" 2>/dev/null)" = "$FL_R" ] && return 0
    rm -f "$1"
    ln -s "$FL_R" "$1" || fl_left "link $1"
    fl_undone
  elif [ "$2" = absent ]; then
    if [ -e "$1" ] || [ -L "$1" ]; then
      rm -f "$1" || fl_left "file $1"
      fl_undone
    fi
  elif [ "$2" = present ]; then
    if fl_sha "$1" && [ "$FL_R" = "$5" ] && [ ! -L "$1" ] && [ "$(stat -c '%a %u:%g' "$1")" = "$3 $4" ]; then return 0; fi
    fl_new=${1%/*}/.${1##*/}.flotilla
    if [ ! -f "$FL_STATE/backup/$5" ]; then fl_left "file $1: its earlier content is lost"; return 0; fi
    [ -d "${1%/*}" ] || mkdir -p "${1%/*}"
    if cp -p "$FL_STATE/backup/$5" "$fl_new" && chown "$4" "$fl_new" && chmod "$3" "$fl_new" && mv -fT "$fl_new" "$1"; then
      fl_undone
    else fl_left "file $1"
    fi
  fi
}

# package NAME
fl_undo_package() {
  fl_has_package "$1" || return 0
  if command -v apt-get >/dev/null; then
    fl_run "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 purge $1"
  elif command -v dnf >/dev/null; then fl_run "dnf -y -q remove $1"
  else fl_run "zypper -n -q remove $1"
  fi
  if fl_has_package "$1"; then fl_left "package $1"; else fl_undone; fi
}

fl_undo_hosts() {
  grep -q "# flotilla:$FL_CLUSTER\$" /etc/hosts || return 0
  grep -v "# flotilla:$FL_CLUSTER\$" /etc/hosts >"$FL_STATE/.hosts"
  cat "$FL_STATE/.hosts" >/etc/hosts || fl_left "lines in /etc/hosts"
  fl_undone
}
fl_undo_hostname() {
  fl_decode "$1"
  [ -n "$FL_R" ] && [ "$(cat /proc/sys/kernel/hostname)" != "$FL_R" ] || return 0
  printf '%s' "$FL_R" >/proc/sys/kernel/hostname 2>/dev/null || hostname "$FL_R" || fl_left "host name"
  fl_undone
}
fl_undo_sysctl() {
  fl_decode "$2"
  fl_f=/proc/sys/$(printf '%s' "$1" | tr . /)
  [ -e "$fl_f" ] && [ "$(tr -s '\t ' '  ' <"$fl_f")" != "$FL_R" ] || return 0
  printf '%s' "$FL_R" >"$fl_f" || fl_left "kernel setting $1"
  fl_undone
}
fl_undo_swap() {
  [ "$1" = - ] && return 0
  fl_decode "$1"
  for fl_x in $FL_R; do
    grep -q "^$fl_x " /proc/swaps || { swapon "$fl_x" || fl_left "swap $fl_x"; fl_undone; }
  done
}
fl_undo_module() {
  # Another program may use it by now; a module that stays loaded does no harm.
  [ -d "/sys/module/$1" ] && modprobe -r "$1" 2>/dev/null && fl_undone
  :
}

# tree PATH absent|empty|kept MODE OWNER
fl_undo_tree() {
  [ -d "$1" ] || return 0
  [ "$2" = kept ] && return 0
  if [ -n "$(ls -A "$1")" ]; then
    find "$1" -xdev -mindepth 1 -delete 2>/dev/null || find "$1" -mindepth 1 -delete || fl_left "files in $1"
    fl_undone
  fi
  # A folder that is a mount of the machine stays, empty.
  if [ "$2" = absent ] && ! grep -q " $1 " /proc/self/mounts; then
    rmdir "$1" || fl_left "folder $1"
  elif [ -n "${4:-}" ]; then chmod "$3" "$1"; chown "$4" "$1"
  fi
}
# dir PATH absent | dir PATH present MODE OWNER
fl_undo_dir() {
  if [ "$2" = present ]; then chmod "$3" "$1" 2>/dev/null; chown "$4" "$1" 2>/dev/null; return 0; fi
  [ -d "$1" ] || return 0
  # What others have put there since is theirs: then the folder stays.
  rmdir "$1" 2>/dev/null && fl_undone
  :
}
