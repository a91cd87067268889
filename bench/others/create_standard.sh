#!/bin/bash
# A standard cluster, three control planes and workers behind a virtual IP, as a careful admin makes
# it by hand from a shell with OpenSSH: all hosts at once, one kept connection each, the programs as
# two tar streams (what starts first goes first), certificates made here meanwhile, no sleep longer
# than what it polls for. The result is the same as the console's: the same programs, flags, files
# and kernel settings, the API behind keepalived's VIP and HAProxy, and a pod on each node that was
# seen to answer.
#
# In: KEY, KNOWN_HOSTS (files), BUNDLE (folder of programs), CPS, WORKERS (name:address ...), VIP,
#     ROUTER_ID (1 to 255), PAUSE_IMAGE, VERIFY_IMAGE, VERSION (v1.x.y), CLUSTER (name),
#     CONTAINER=1 when hosts are containers
set -euo pipefail
# shellcheck source=bench/others/standard_files.sh
. "$(dirname "$0")/standard_files.sh"

read -ra cps <<<"$CPS"; read -ra workers <<<"$WORKERS"
hosts=("${cps[@]}" "${workers[@]}")
name() { echo "${1%%:*}"; }
address() { echo "${1#*:}"; }
first=$(address "${cps[0]}")
minor=${VERSION#v1.}; minor=${minor%%.*}
bin=/opt/kubernetes/current pki=/etc/kubernetes/pki entry=https://$VIP:8443 local=https://127.0.0.1:6443
kubectl="$bin/kubectl --kubeconfig=/etc/kubernetes/admin.conf"
contained=false alone=true driver=systemd
[ -z "${CONTAINER:-}" ] || { contained=true alone=false driver=cgroupfs; }
work=$(mktemp -d)
options=(-q -i "$KEY" -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile="$KNOWN_HOSTS"
  -o ControlMaster=auto -o ControlPath="$work/cm-%h" -o ControlPersist=yes
  -o Ciphers=aes128-gcm@openssh.com -o Compression=no)
on() { local host=$1; shift; ssh "${options[@]}" "root@$host" "$@"; }
finish() {
  for h in "${hosts[@]}"; do ssh "${options[@]}" -O exit "root@$(address "$h")" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
all() { for job in "$@"; do wait "$job"; done; }
is_cp() { [[ " $CPS " = *" $1 "* ]]; }
declare -A sent_first sent prepared started
for h in "${hosts[@]}"; do # connect, and see which interface and prefix the address is on
  on "$(address "$h")" "ip -o -4 addr show to $(address "$h")" |
    sed -E 's,^[0-9]+: (\S+) +inet [0-9.]+/([0-9]+).*,\1 \2,' >"$work/link-$(name "$h")" &
  started[$h]=$!
done
all "${started[@]}"

# --- programs and images, straight into place, all hosts at once

send() { # address, programs...
  local host=$1; shift
  tar -C "$BUNDLE" -cf - --owner=0 --group=0 \
    --transform="s,^extras/cni/,opt/cni/bin/," --transform="s,^extras/images/,run/images/," \
    --transform="s,^extras/,opt/kubernetes/$VERSION/," \
    --transform="s,^\(kube[a-z-]*\)$,opt/kubernetes/$VERSION/\1," "$@" |
    on "$host" "tar -C / -xf - && ln -sfn /opt/kubernetes/$VERSION $bin"
}
extras=$(cd "$BUNDLE" && ls extras/cni/* extras/images/*)
for h in "${cps[@]}"; do
  send "$(address "$h")" extras/etcd extras/etcdctl kube-apiserver kube-controller-manager kube-scheduler kubectl &
  sent_first[$h]=$!
done
for h in "${workers[@]}"; do send "$(address "$h")" kubelet kube-proxy $extras & sent[$h]=$!; done

# --- the hosts themselves and containerd

prepare() { # host
  local needed="containerd iptables conntrack"
  ! is_cp "$1" || needed+=" haproxy keepalived"
  on "$(address "$1")" bash -s <<EOF
set -e
hostname $(name "$1") && echo $(name "$1") >/etc/hostname
cat >>/etc/hosts <<X
$(for h in "${hosts[@]}"; do echo "$(address "$h") $(name "$h")"; done)
X
printf 'overlay\nbr_netfilter\n' >/etc/modules-load.d/kubernetes.conf
[ -d /sys/module/overlay ] || modprobe overlay
[ -d /proc/sys/net/bridge ] || modprobe br_netfilter
cat >/etc/sysctl.d/99-kubernetes.conf <<X
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
$([ -n "${CONTAINER:-}" ] || printf '%s\n' 'vm.overcommit_memory = 1' 'vm.panic_on_oom = 0' 'kernel.panic = 10' \
  'kernel.panic_on_oops = 1' 'kernel.keys.root_maxkeys = 1000000' 'kernel.keys.root_maxbytes = 25000000' \
  'fs.inotify.max_user_instances = 8192' 'fs.inotify.max_user_watches = 524288')
X
sysctl -q -p /etc/sysctl.d/99-kubernetes.conf
[ -n "${CONTAINER:-}" ] || { swapoff -a; sed -i '/\sswap\s/s/^/#/' /etc/fstab; }
for p in $needed; do command -v \$p >/dev/null || apt-get -q -y install \$p; done
mkdir -p /etc/containerd
cat >/etc/containerd/config.toml <<X
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  restrict_oom_score_adj = $contained
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = $alone
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
X
systemctl enable -q containerd && systemctl restart containerd
EOF
}
for h in "${hosts[@]}"; do prepare "$h" & prepared[$h]=$!; done

# --- certificates, meanwhile

c=$work/pki; mkdir -p "$c"
printf '[req]\ndistinguished_name=dn\n[dn]\n' >"$c/openssl.cnf"
make() { # name, subject, days, further arguments
  local n=$1 subject=$2 days=$3; shift 3
  openssl req -config "$c/openssl.cnf" -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 \
    -keyout "$c/$n.key" -out "$c/$n.crt" -subj "$subject" -days "$days" "$@" 2>/dev/null
}
ca() { # name, subject
  make "$1" "$2" 3650 -addext basicConstraints=critical,CA:true \
    -addext keyUsage=critical,digitalSignature,keyCertSign,cRLSign
}
leaf() { # name, authority, subject, usage, names
  make "$1" "$3" 365 -CA "$c/$2.crt" -CAkey "$c/$2.key" -addext basicConstraints=critical,CA:false \
    -addext keyUsage=critical,digitalSignature -addext "extendedKeyUsage=$4" ${5:+-addext "subjectAltName=$5"}
}
ca ca /CN=kubernetes-ca & a=$!; ca etcd-ca /CN=etcd-ca & b=$!
ca front-proxy-ca /CN=kubernetes-front-proxy-ca & d=$!
all $a $b $d
api="DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
certify() { # host
  local n ip; n=$(name "$1") ip=$(address "$1")
  leaf "kubelet-$n" ca "/O=system:nodes/CN=system:node:$n" serverAuth "DNS:$n,IP:$ip"
  leaf "kube-proxy-$n" ca /CN=system:kube-proxy clientAuth
  is_cp "$1" || return 0
  local member="DNS:$n,DNS:localhost,IP:$ip,IP:127.0.0.1"
  leaf "apiserver-$n" ca /CN=kube-apiserver serverAuth \
    "$api,DNS:localhost,DNS:$n,IP:10.96.0.1,IP:127.0.0.1,IP:$ip,IP:$VIP"
  leaf "apiserver-kubelet-client-$n" ca /CN=kube-apiserver-kubelet-client clientAuth
  leaf "controller-manager-$n" ca /CN=system:kube-controller-manager clientAuth
  leaf "scheduler-$n" ca /CN=system:kube-scheduler clientAuth
  leaf "admin-$n" ca /O=system:masters/CN=kubernetes-admin clientAuth
  leaf "haproxy-$n" ca /CN=haproxy serverAuth,clientAuth "DNS:$n,IP:$ip,IP:$VIP"
  leaf "front-proxy-client-$n" front-proxy-ca /CN=front-proxy-client clientAuth
  leaf "etcd-server-$n" etcd-ca "/CN=$n" serverAuth,clientAuth "$member"
  leaf "etcd-peer-$n" etcd-ca "/CN=$n" serverAuth,clientAuth "$member"
  leaf "apiserver-etcd-client-$n" etcd-ca /CN=kube-apiserver-etcd-client clientAuth
}
jobs=()
for h in "${hosts[@]}"; do certify "$h" & jobs+=($!); done
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$c/sa.key"
openssl pkey -in "$c/sa.key" -pubout -out "$c/sa.pub"
all "${jobs[@]}"
token_id=$(openssl rand -hex 3) token=$(openssl rand -hex 8) secret_key=$(openssl rand -base64 32)

# --- the files of every host

for i in "${!hosts[@]}"; do
  h=${hosts[$i]} t=$work/files-$i
  if is_cp "$h"; then node_files "$t" "$h" "$i" $local; control_plane_files "$t" "$h"; else node_files "$t" "$h" "$i" "$entry"; fi
  chmod 600 "$t"/etc/kubernetes/*.conf
  find "$t/etc/kubernetes" \( -name '*.key' -o -name '*.pem' -o -name '*.env' -o -name encryption.yaml -o -name audit-policy.yaml \) -exec chmod 600 {} +
done

# --- onto the hosts, and start: the control planes first, their nodes' programs meanwhile

rights() { # the first objects: who may do what, and the bootstrap token
  cat <<EOF
$(while read -r name role kind subject; do cat <<X
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "$name"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "$role"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: $kind, name: "$subject"}]
X
done <<LIST
node-bootstrap system:node-bootstrapper Group system:bootstrappers
node-approve system:certificates.k8s.io:certificatesigningrequests:nodeclient Group system:bootstrappers
node-renew system:certificates.k8s.io:certificatesigningrequests:selfnodeclient Group system:nodes
apiserver-kubelet system:kubelet-api-admin User kube-apiserver-kubelet-client
admins cluster-admin Group admins
LIST
)
---
apiVersion: v1
kind: Secret
metadata: {name: bootstrap-token-$token_id, namespace: kube-system}
type: bootstrap.kubernetes.io/token
stringData:
  token-id: "$token_id"
  token-secret: "$token"
  expiration: "$(date -u -d +1day +%Y-%m-%dT%H:%M:%SZ)"
  usage-bootstrap-authentication: "true"
  usage-bootstrap-signing: "false"
EOF
}
declare -A filed cp_started node_ready
all "${prepared[@]}"
for i in "${!hosts[@]}"; do
  tar -C "$work/files-$i" -cf - --owner=0 --group=0 . |
    on "$(address "${hosts[$i]}")" "tar -C / -xf - --no-overwrite-dir" &
  filed[$i]=$!
done
all "${filed[@]}" "${sent_first[@]}"
for h in "${cps[@]}"; do
  on "$(address "$h")" bash -s <<EOF &
set -e
mkdir -p -m 700 /var/lib/etcd /var/log/kubernetes
ln -sf $bin/kubectl /usr/local/bin/kubectl
systemctl daemon-reload
systemctl enable -q etcd haproxy keepalived kube-apiserver kube-controller-manager kube-scheduler
systemctl start etcd
systemctl start --no-block haproxy keepalived kube-apiserver kube-controller-manager kube-scheduler
until systemctl is-active -q kube-apiserver && $kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done
EOF
  cp_started[$h]=$!
done
for h in "${cps[@]}"; do send "$(address "$h")" kubelet kube-proxy $extras & sent[$h]=$!; done
all "${sent[@]}"
for h in "${hosts[@]}"; do
  on "$(address "$h")" bash -s <<'EOF' &
set -e
systemctl daemon-reload
systemctl enable -q kubernetes-network kubelet kube-proxy
systemctl start kubernetes-network
for i in /run/images/*.tar; do ctr -n k8s.io images import $i >/dev/null; done
rm -rf /run/images
EOF
  node_ready[$h]=$!
done
all "${cp_started[@]}"
rights | on "$first" "$kubectl apply -f - >/dev/null"
on "$first" "until $kubectl --server=$entry get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done"
all "${node_ready[@]}"
for h in "${hosts[@]}"; do on "$(address "$h")" systemctl start kubelet kube-proxy & started[$h]=$!; done
all "${started[@]}"

# --- the nodes' ranges and labels, Ready, and a pod on each that answers

pod() { # node, pod
  cat <<EOF
---
apiVersion: v1
kind: Pod
metadata: {name: $2, namespace: default}
spec:
  nodeSelector: {kubernetes.io/hostname: $1}
  tolerations: [{operator: Exists}]
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  securityContext: {runAsUser: 65534, runAsGroup: 65534, fsGroup: 65534}
  containers:
  - name: web
    image: $VERIFY_IMAGE
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "echo answers > /www/index.html && exec httpd -f -p 8080 -h /www"]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: www, mountPath: /www}]
  volumes: [{name: www, emptyDir: {}}]
EOF
}
together() { # lines of kubectl's arguments: all at once
  while read -r line; do echo "\$k $line >/dev/null & jobs=\"\$jobs \$!\""; done
  echo 'for p in $jobs; do wait $p; done'
}
master=; [ "$minor" -ge 24 ] || master=node-role.kubernetes.io/master=
nodes=${hosts[*]%%:*} cp_nodes=${cps[*]%%:*} w_nodes=${workers[*]%%:*} pods="${!hosts[*]}"
pods=verify-${pods// / verify-}
changes=$(for i in "${!hosts[@]}"; do
  range=10.244.$i.0/24
  echo "patch node $(name "${hosts[$i]}") -p '{\"spec\":{\"podCIDR\":\"$range\",\"podCIDRs\":[\"$range\"]}}'"
done
echo "label --overwrite node $cp_nodes node-role.kubernetes.io/control-plane= $master"
echo "label --overwrite node $w_nodes node-role.kubernetes.io/worker=")
on "$first" bash -s <<EOS
set -e
k="$kubectl" jobs=
until \$k get node $nodes >/dev/null 2>&1; do sleep 0.2; done
$(together <<<"$changes")
until \$k wait --for=condition=Ready --timeout=5s node $nodes >/dev/null 2>&1; do sleep 0.2; done
until \$k apply -f - >/dev/null 2>&1 <<'EOF'
$(for i in "${!hosts[@]}"; do pod "$(name "${hosts[$i]}")" "verify-$i"; done)
EOF
do sleep 0.2; done
for p in $pods; do
  until [ "\$(\$k get --raw /api/v1/namespaces/default/pods/\$p:8080/proxy/ 2>/dev/null)" = answers ]; do sleep 0.2; done
done
\$k -n default delete pod $pods --force --grace-period=0 >/dev/null 2>&1
EOS
