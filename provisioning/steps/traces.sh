# What is left of a Kubernetes on this host, one line each. Read-only. An empty
# output is the proof after a delete, so every kind of remains has its line.
for u in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubernetes-network k3s k3s-agent rke2-server rke2-agent; do
  for f in /etc/systemd/system /lib/systemd/system /usr/lib/systemd/system; do
    if [ -e "$f/$u.service" ]; then echo "unit $u.service ($f)"; break; fi
  done
done
# Not those of hosts that are containers on this one: they are in another process namespace.
own=$(readlink /proc/self/ns/pid)
for c in $(grep -lsE '^(kube-apiserver|kube-controller|kube-scheduler|kubelet|kube-proxy|k3s-server|k3s-agent|etcd|haproxy|keepalived|containerd-shim.*)$' /proc/[0-9]*/comm); do
  p=${c%/comm}; p=${p#/proc/}
  [ "$(readlink "/proc/$p/ns/pid")" = "$own" ] || continue
  read -r n <"$c" || continue
  case $n in
    containerd-shim*) tr '\0' ' ' <"/proc/$p/cmdline" | grep -q -e '-namespace k8s.io' && echo "process $n ($p)" ;;
    # An admin's own may run here; ours know their cluster.
    haproxy | keepalived) tr '\0' '\n' <"/proc/$p/environ" | grep -q '^FLOTILLA_CLUSTER=' && echo "process $n ($p)" ;;
    *) echo "process $n ($p)" ;;
  esac
done 2>/dev/null
for d in /etc/kubernetes /opt/kubernetes /opt/cni /var/lib/kube-proxy /var/lib/kubelet/pki /var/lib/kubelet/config.yaml /var/lib/kubelet/pods /var/lib/etcd/member /var/lib/rancher /etc/rancher /run/flannel /run/kubernetes/kubectl /var/lib/calico /var/log/pods /var/log/containers /var/log/kubernetes /run/flotilla-vip; do
  [ -e "$d" ] && echo "path $d"
done
for f in /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf /etc/keepalived/haproxy-answers /etc/systemd/system/haproxy.service.d/flotilla.conf /etc/systemd/system/keepalived.service.d/flotilla.conf; do
  [ -f "$f" ] && head -n 2 "$f" 2>/dev/null | grep -q '^# Written by Flotilla' && echo "path $f"
done
for d in /etc/cni/net.d /var/lib/cni; do [ -n "$(ls -A "$d" 2>/dev/null)" ] && echo "path $d"; done
ip -o route show 2>/dev/null | awk '$3 == "cni0" {print "route " $1}'
awk '$2 ~ "^/var/lib/kubelet/|^/run/containerd/io|^/run/netns/cni-" {print "mount " $2}' /proc/self/mounts
# Asked over netlink: in a host that is a container /sys may show the machine's interfaces.
for i in $(ip -o link show 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do
  case $i in cni0 | cbr0 | kube-ipvs0 | kube-bridge | flannel.* | cali* | cilium_* | vxlan.calico | kube-dummy-if) echo "interface $i" ;; esac
done
for t in iptables-save ip6tables-save; do
  command -v $t >/dev/null && $t 2>/dev/null | awk -v t="${t%-save}" '/^:(KUBE|CNI|FLOTILLA|cali|FLANNEL|CILIUM)[-_]/ {print "chain " substr($1, 2) " (" t ")"}'
done
command -v nft >/dev/null && nft list tables 2>/dev/null | awk '$3 == "kube-proxy" {print "nft table " $2 " " $3}'
find /sys/fs/cgroup -maxdepth 3 -type d -name 'kubepods*' 2>/dev/null | head -n 3 | sed 's/^/cgroup /'
:
