# Units, packages, kernel settings and the other parts of a system. Continues prelude.sh.

# How often systemd has restarted units so far, as " name:count name:count ".
fl_count_restarts() {
  FL_RESTARTS=' '
  for fl_u in $1; do
    FL_RESTARTS="$FL_RESTARTS$fl_u:$(systemctl show -p NRestarts --value "$fl_u" 2>/dev/null) "
  done
}
# A unit that has failed, or has been restarted 4 times since fl_count_restarts.
fl_dying() {
  fl_s=$(systemctl show -p ActiveState -p NRestarts "$1" 2>/dev/null)
  case $fl_s in *ActiveState=failed*) return 0 ;; esac
  fl_n=${fl_s#*NRestarts=}
  fl_n=${fl_n%%"$NL"*}
  fl_old=${FL_RESTARTS#*" $1:"}
  fl_old=${fl_old%% *}
  [ "${fl_n:-0}" -ge "$((${fl_old:-0} + 4))" ] 2>/dev/null
}

# What a unit said last, and the known cause among it: a Go program that panics prints some
# hundred lines of stacks after the reason.
fl_unit_failed() {
  fl_j=$(journalctl -u "$1" -n 20 --no-pager -o cat 2>/dev/null)
  fl_c=$(journalctl -u "$1" -n 1000 --since=-120s --no-pager -o cat 2>/dev/null |
    grep -iE 'address already in use|no space left' | tail -n 1)
  case $fl_c in
    *[Aa]ddress' already in use'*)
      fl_p=$(printf '%s\n' "$fl_c" | sed -n 's/.*:\([0-9]\{1,5\}\): bind.*/\1/p')
      fl_fail port_in_use "$1 runs" "port ${fl_p:-?} is taken: $(ss -Hltnp ${fl_p:+"sport = :$fl_p"} 2>/dev/null | sed 's/.*users:/users:/' | sort -u | head -n 5)$NL$fl_c" ;;
    *[Nn]o' space left'*) fl_fail disk_full "$1 runs" "$fl_c$NL$(df -h 2>/dev/null)$NL$fl_j" ;;
  esac
  fl_fail unit_failed "$1 runs" "$(systemctl show -p ActiveState,SubState,Result,NRestarts "$1" | tr '\n' ' ')$NL$fl_j"
}

fl_field() { FL_R=${fl_s#*"$NL$1="}; FL_R=${FL_R%%"$NL"*}; }

# fl_unit NAME ENABLED STARTED MARK BLOCK AGAIN; ENABLED, STARTED: yes, no or - (as it is);
# MARK: digest of everything that the unit must have been started with; AGAIN: systemctl's
# verb for a unit that runs with something older.
fl_unit() {
  fl_s=$NL$(systemctl show -p LoadState,UnitFileState,ActiveState,NeedDaemonReload "$1")$NL
  fl_field LoadState; fl_load=$FL_R
  fl_field UnitFileState; fl_file=$FL_R
  fl_field ActiveState; fl_active=$FL_R
  fl_field NeedDaemonReload; fl_need=$FL_R
  case $fl_file in enabled | static | alias | generated | indirect | enabled-runtime) fl_on=yes ;; *) fl_on=no ;; esac
  case $fl_active in active | reloading) fl_up=yes ;; *) fl_up=no ;; esac
  fl_mark_get "unit:$1"
  if [ "$2" != - ] && [ "$2" != "$fl_on" ]; then fl_todo=1
  elif [ "$3" != - ] && [ "$3" != "$fl_up" ]; then fl_todo=1
  elif [ "$3" = yes ] && [ "$FL_R" != "$4" ]; then fl_todo=1
  elif [ "$fl_need" = yes ] && [ "$3" = yes ]; then fl_todo=1
  else fl_todo=0
  fi
  if [ "$fl_todo" = 0 ]; then fl_ok; return; fi
  if [ "$3" = no ] && [ "$fl_load" != loaded ] && [ "$fl_up" = no ]; then fl_ok; return; fi
  fl_changing
  fl_prior "unit:$1" unit "$1" "$fl_on" "$fl_up"
  # A unit that systemd has not loaded before is read from the disk as it is now: only what it
  # holds in memory and differs from there, or is too old to look by itself, needs a reload,
  # which reads every unit of the host and costs more than all the rest here.
  if [ "$fl_need" = yes ] || [ "$fl_load" != loaded ]; then systemctl daemon-reload; fi
  if [ "$2" = yes ] && [ "$fl_on" = no ]; then
    systemctl enable --quiet --no-reload "$1" || fl_fail unit_missing "$1 can be enabled" "$(systemctl status "$1" 2>&1 | head -n 5)"
  elif [ "$2" = no ] && [ "$fl_on" = yes ]; then
    systemctl disable --quiet --no-reload "$1"
  fi
  # Of a unit that others name systemd keeps in memory whether it is enabled, as it was.
  if [ "$2" != - ] && [ "$2" != "$fl_on" ]; then
    fl_s=$(systemctl show -p UnitFileState --value "$1")
    case $2:$fl_s in yes:enabled | no:disabled) ;; *) systemctl daemon-reload ;; esac
  fi
  if [ "$3" = yes ]; then
    fl_verb=start
    [ "$fl_up" = no ] || fl_verb=$6
    systemctl "$fl_verb" "$5" "$1" || fl_unit_failed "$1"
    [ "$5" = --no-block ] || systemctl is-active --quiet "$1" || fl_unit_failed "$1"
    fl_mark_put "unit:$1" "$4"
  elif [ "$3" = no ] && [ "$fl_up" = yes ]; then
    systemctl stop "$1" || fl_unit_failed "$1"
  fi
  fl_changed
}

# fl_sysctl NAME VALUE
fl_sysctl() {
  fl_f=/proc/sys/$(printf '%s' "$1" | tr . /)
  fl_v=$(tr -s '\t ' '  ' <"$fl_f" 2>/dev/null)
  if [ "$fl_v" = "$2" ]; then fl_ok; return; fi
  [ -e "$fl_f" ] || fl_fail no_sysctl "the kernel setting $1" "$fl_f does not exist"
  fl_changing
  fl_b64 "$fl_v"
  fl_prior "$FL_KEY" sysctl "$1" "$FL_R"
  printf '%s' "$2" >"$fl_f"
  fl_v=$(tr -s '\t ' '  ' <"$fl_f")
  [ "$fl_v" = "$2" ] || fl_fail no_sysctl "$1 = $2" "$1 = $fl_v"
  fl_changed
}

# fl_module NAME PATH: PATH exists once the module (or the kernel itself) offers it.
fl_module() {
  if [ -e "/sys/module/$1" ] || { [ -n "$2" ] && [ -e "$2" ]; } ||
    grep -qs "/$1\.ko" "/lib/modules/$(uname -r)/modules.builtin"; then fl_ok; return; fi
  fl_changing
  fl_prior "$FL_KEY" module "$1"
  fl_m=$(modprobe "$1" 2>&1) || fl_fail no_module "the kernel module $1" "$fl_m"
  fl_changed
}

# fl_swap: no swap now, and none after the next boot.
fl_swap() {
  fl_v=$(tail -n +2 /proc/swaps | awk '{print $1}')
  fl_line=$(grep -En '^[^#]\S*\s+\S+\s+swap\s' /etc/fstab 2>/dev/null)
  if [ -z "$fl_v$fl_line" ]; then fl_ok; return; fi
  fl_changing
  fl_b64 "$fl_v"
  fl_prior "$FL_KEY" swap "${FL_R:--}"
  if [ -n "$fl_line" ]; then
    fl_key=$FL_KEY FL_KEY=file:/etc/fstab
    fl_prior_path /etc/fstab
    FL_KEY=$fl_key
    sed -E 's/^([^#]\S*\s+\S+\s+swap\s.*)/# \1/' /etc/fstab >/etc/.fstab.flotilla && cat /etc/.fstab.flotilla >/etc/fstab || fl_unwritable /etc/fstab
    rm -f /etc/.fstab.flotilla
  fi
  swapoff -a || fl_fail swap_busy "swap off" "$(cat /proc/swaps)"
  fl_changed
}

# fl_hostname NAME
fl_hostname() {
  fl_v=$(cat /proc/sys/kernel/hostname)
  if [ "$fl_v" = "$1" ] && [ "$(cat /etc/hostname 2>/dev/null)" = "$1" ]; then fl_ok; return; fi
  fl_changing
  fl_b64 "$fl_v"
  fl_prior "$FL_KEY" hostname "$FL_R"
  fl_key=$FL_KEY FL_KEY=file:/etc/hostname
  fl_prior_path /etc/hostname
  FL_KEY=$fl_key
  printf '%s\n' "$1" >/etc/hostname || fl_unwritable /etc/hostname
  printf '%s' "$1" >/proc/sys/kernel/hostname 2>/dev/null || hostname "$1"
  [ "$(cat /proc/sys/kernel/hostname)" = "$1" ] || fl_fail not_writable "the host name $1" "$(cat /proc/sys/kernel/hostname)"
  fl_changed
}

# fl_hosts LINES: our lines of /etc/hosts, each ending in "# flotilla:<cluster>".
fl_hosts() {
  if [ "$(grep "# flotilla:$FL_CLUSTER\$" /etc/hosts)" = "$1" ]; then fl_ok; return; fi
  fl_changing
  fl_prior "$FL_KEY" hosts /etc/hosts
  { grep -v "# flotilla:$FL_CLUSTER\$" /etc/hosts; printf '%s\n' "$1"; } >"$FL_STATE/.hosts"
  # Written in place, not moved: in containers /etc/hosts is often a mount.
  cat "$FL_STATE/.hosts" >/etc/hosts || fl_unwritable /etc/hosts
  rm -f "$FL_STATE/.hosts"
  fl_changed
}

fl_has_package() {
  if command -v dpkg-query >/dev/null; then
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
  else rpm -q "$1" >/dev/null 2>&1
  fi
}

# fl_package NAME PATH: PATH, when given, is what we want of it; a host that has it needs no package.
fl_package() {
  if { [ -n "$2" ] && [ -e "$2" ]; } || fl_has_package "$1"; then fl_ok; return; fi
  fl_changing
  if command -v apt-get >/dev/null; then fl_apt "$1"
  elif command -v dnf >/dev/null; then
    fl_prior "$FL_KEY" package "$1"
    fl_run "dnf -y -q install $1" || fl_fail package_failed "package $1 installed" "$fl_out"
  elif command -v zypper >/dev/null; then
    fl_prior "$FL_KEY" package "$1"
    fl_run "zypper -n -q install $1" || fl_fail package_failed "package $1 installed" "$fl_out"
  else fl_fail package_failed "apt, dnf or zypper" "none of them is on this host"
  fi
  fl_has_package "$1" || fl_fail package_failed "package $1 installed" "$fl_out"
  fl_changed
}
fl_apt() {
  fl_sim=$(apt-get -s --no-install-recommends install "$1" 2>&1) || {
    fl_run "DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 update" ||
      fl_fail package_failed "package lists" "$fl_out"
    fl_sim=$(apt-get -s --no-install-recommends install "$1" 2>&1) || fl_fail package_failed "package $1" "$fl_sim"
  }
  for fl_q in $(printf '%s\n' "$fl_sim" | sed -n 's/^Inst \([a-z0-9.+-]*\).*/\1/p'); do
    fl_has_package "$fl_q" || fl_prior "package:$fl_q" package "$fl_q"
  done
  # Debian starts services as it installs them; ours start when they are configured.
  fl_rc=${FLOTILLA_ROOT:-}/usr/sbin/policy-rc.d fl_own=0
  if [ ! -e "$fl_rc" ]; then
    fl_prior "file:$fl_rc" file "$fl_rc" absent
    printf '#!/bin/sh\nexit 101\n' >"$fl_rc" && chmod 755 "$fl_rc" && fl_own=1
  fi
  fl_run "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold --no-install-recommends install $1"
  fl_st=$FL_R
  [ "$fl_own" = 0 ] || rm -f "$fl_rc"
  [ "$fl_st" = 0 ] || fl_fail package_failed "package $1 installed" "$fl_out"
}

# fl_image REFERENCES SHA SIZE PAYLOAD PACKED: an image archive into containerd's k8s.io namespace.
fl_image() {
  fl_mark_get "$FL_KEY"
  fl_there=0
  if [ "$FL_R" = "$2" ]; then
    fl_there=1
    if [ -n "$1" ]; then
      fl_have=$NL$(ctr -n k8s.io images ls -q 2>/dev/null)$NL
      for fl_q in $1; do case $fl_have in *"$NL$fl_q$NL"* | *"$NL"docker.io/"$fl_q$NL"*) ;; *) fl_there=0 ;; esac; done
    fi
  fi
  if [ "$fl_there" = 1 ]; then fl_ok; return; fi
  fl_changing
  fl_t=$FL_STATE/.image.tar
  fl_receive "$fl_t" "$3" "$2" "$4" "$5"
  fl_run "ctr -n k8s.io images import $fl_t"
  fl_st=$FL_R
  rm -f "$fl_t"
  [ "$fl_st" = 0 ] || fl_fail image_failed "the image archive is taken in" "$fl_out"
  fl_mark_put "$FL_KEY" "$2"
  fl_changed
}
