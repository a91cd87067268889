#!/bin/bash
# A lightweight cluster, one control plane and one worker, as a careful admin makes it by hand from
# a shell with OpenSSH: both hosts at once, one kept connection each, one tar stream for the
# programs, certificates made here meanwhile, no sleep longer than what it polls for. The result is
# the same as the console's: the same programs, flags, files and kernel settings, and a pod on each
# node that was seen to answer.
#
# In: KEY, KNOWN_HOSTS (files), BUNDLE (folder of programs), CP, WORKER (name:address),
#     PAUSE_IMAGE, VERIFY_IMAGE, VERSION (v1.x.y), CLUSTER (name), CONTAINER=1 when hosts are containers
set -euo pipefail

cp_name=${CP%%:*} cp=${CP#*:} w_name=${WORKER%%:*} w=${WORKER#*:}
minor=${VERSION#v1.}; minor=${minor%%.*}
bin=/opt/kubernetes/current pki=/etc/kubernetes/pki
kubectl="$bin/kubectl --kubeconfig=/etc/kubernetes/admin.conf"
contained=false alone=true driver=systemd
[ -z "${CONTAINER:-}" ] || { contained=true alone=false driver=cgroupfs; }
work=$(mktemp -d)
options=(-q -i "$KEY" -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile="$KNOWN_HOSTS"
  -o ControlMaster=auto -o ControlPath="$work/cm-%h" -o ControlPersist=yes
  -o Ciphers=aes128-gcm@openssh.com -o Compression=no)
on() { local host=$1; shift; ssh "${options[@]}" "root@$host" "$@"; }
finish() {
  for host in $cp $w; do ssh "${options[@]}" -O exit "root@$host" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
all() { for job in "$@"; do wait "$job"; done; }
for host in $cp $w; do on "$host" true & done; wait

# --- programs and images, straight into place, both hosts at once

send() { # host, programs...
  local host=$1; shift
  tar -C "$BUNDLE" -cf - --owner=0 --group=0 \
    --transform="s,^extras/cni/,opt/cni/bin/," --transform="s,^extras/images/,run/images/," \
    --transform="s,^extras/,opt/kubernetes/$VERSION/," \
    --transform="s,^\(kube[a-z-]*\)$,opt/kubernetes/$VERSION/\1," \
    "$@" $(cd "$BUNDLE" && ls extras/cni/* extras/images/*) |
    on "$host" "tar -C / -xf - && ln -sfn /opt/kubernetes/$VERSION $bin"
}
node="kubelet kube-proxy"
send "$cp" $node kube-apiserver kube-controller-manager kube-scheduler kubectl extras/etcd extras/etcdctl & send_cp=$!
send "$w" $node & send_w=$!

# --- the hosts themselves and containerd

prepare() { # host, name
  on "$1" bash -s <<EOF
set -e
hostname $2 && echo $2 >/etc/hostname
printf '%s\n' '$cp $cp_name' '$w $w_name' >>/etc/hosts
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
for p in containerd iptables conntrack; do command -v \$p >/dev/null || apt-get -q -y install \$p; done
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
prepare "$cp" "$cp_name" & prepare_cp=$!
prepare "$w" "$w_name" & prepare_w=$!

# --- certificates, meanwhile

c=$work/pki; mkdir -p "$c"
key() { openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out "$1"; }
ca() { # name, subject
  key "$c/$1.key"
  openssl req -x509 -new -key "$c/$1.key" -sha256 -days 3650 -subj "/CN=$2" -out "$c/$1.crt" \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,digitalSignature,keyCertSign,cRLSign
}
leaf() { # name, authority, subject, usage, names
  key "$c/$1.key"
  openssl req -new -key "$c/$1.key" -subj "$3" -out "$c/$1.csr"
  printf '%s\n' 'basicConstraints=critical,CA:false' 'keyUsage=critical,digitalSignature' \
    "extendedKeyUsage=$4" ${5:+"subjectAltName=$5"} >"$c/$1.ext"
  openssl x509 -req -in "$c/$1.csr" -CA "$c/$2.crt" -CAkey "$c/$2.key" -sha256 -days 365 \
    -set_serial "0x$(openssl rand -hex 12)" -extfile "$c/$1.ext" -out "$c/$1.crt" 2>/dev/null
}
ca ca kubernetes-ca & a=$!; ca etcd-ca etcd-ca & b=$!; ca front-proxy-ca kubernetes-front-proxy-ca & d=$!
all $a $b $d
service_ip=10.96.0.1
member="DNS:$cp_name,DNS:localhost,IP:$cp,IP:127.0.0.1"
api="DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
jobs=()
make() { leaf "$@" & jobs+=($!); }
make apiserver ca /CN=kube-apiserver serverAuth "$api,DNS:localhost,DNS:$cp_name,IP:$service_ip,IP:127.0.0.1,IP:$cp"
make apiserver-kubelet-client ca /CN=kube-apiserver-kubelet-client clientAuth
make controller-manager ca /CN=system:kube-controller-manager clientAuth
make scheduler ca /CN=system:kube-scheduler clientAuth
make admin ca /O=system:masters/CN=kubernetes-admin clientAuth
make front-proxy-client front-proxy-ca /CN=front-proxy-client clientAuth
make etcd-server etcd-ca "/CN=$cp_name" serverAuth,clientAuth "$member"
make etcd-peer etcd-ca "/CN=$cp_name" serverAuth,clientAuth "$member"
make apiserver-etcd-client etcd-ca /CN=kube-apiserver-etcd-client clientAuth
for host in "$cp_name:$cp" "$w_name:$w"; do
  make "kubelet-${host%%:*}" ca "/O=system:nodes/CN=system:node:${host%%:*}" serverAuth "DNS:${host%%:*},IP:${host#*:}"
  make "kube-proxy-${host%%:*}" ca /CN=system:kube-proxy clientAuth
done
key "$c/sa.key" && openssl pkey -in "$c/sa.key" -pubout -out "$c/sa.pub"
all "${jobs[@]}"
token_id=$(openssl rand -hex 3) token=$(openssl rand -hex 8)

b64() { base64 -w0 "$1"; }
kubeconfig() { # server, user, certificate
  cat <<EOF
apiVersion: v1
kind: Config
clusters: [{name: $CLUSTER, cluster: {server: "$1", certificate-authority-data: $(b64 "$c/ca.crt")}}]
users: [{name: $2, user: {client-certificate-data: $(b64 "$c/$3.crt"), client-key-data: $(b64 "$c/$3.key")}}]
contexts: [{name: $2, context: {cluster: $CLUSTER, user: $2}}]
current-context: $2
EOF
}
bootstrap() { # server
  cat <<EOF
apiVersion: v1
kind: Config
clusters: [{name: $CLUSTER, cluster: {server: "$1", certificate-authority-data: $(b64 "$c/ca.crt")}}]
users: [{name: bootstrap, user: {token: $token_id.$token}}]
contexts: [{name: bootstrap, context: {cluster: $CLUSTER, user: bootstrap}}]
current-context: bootstrap
EOF
}
unit() { # folder, name, description, after, extra, command...
  local path=$1/etc/systemd/system/$2.service description=$3 after=$4 extra=$5; shift 5
  cat >"$path" <<EOF
[Unit]
Description=$description
After=$after
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
$extra
ExecStart=$*
Restart=always
RestartSec=1
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
EOF
}

# --- every node's files

node_files() { # folder, name, address, api server, own range, other range, other address
  local t=$1
  mkdir -p "$t$pki" "$t/etc/systemd/system" "$t/etc/cni/net.d" "$t/etc/kubernetes/objects"
  cp "$c/ca.crt" "$t$pki/ca.crt"
  cp "$c/kubelet-$2.crt" "$t$pki/kubelet.crt"; cp "$c/kubelet-$2.key" "$t$pki/kubelet.key"
  kubeconfig "$4" system:kube-proxy "kube-proxy-$2" >"$t/etc/kubernetes/kube-proxy.conf"
  bootstrap "$4" >"$t/etc/kubernetes/bootstrap-kubelet.conf"
  chmod 600 "$t"/etc/kubernetes/*.conf
  cat >"$t/etc/kubernetes/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true, cacheTTL: 2m0s}
  x509: {clientCAFile: $pki/ca.crt}
authorization: {mode: Webhook}
readOnlyPort: 0
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
tlsMinVersion: VersionTLS12
rotateCertificates: true
cgroupDriver: $driver
clusterDomain: cluster.local
failSwapOn: $alone
protectKernelDefaults: $alone
makeIPTablesUtilChains: true
volumePluginDir: /var/lib/kubelet/volume-plugins
containerLogMaxSize: 10Mi
healthzBindAddress: 127.0.0.1
EOF
  if [ "$minor" -ge 27 ]; then
    echo "containerRuntimeEndpoint: unix:///run/containerd/containerd.sock" >>"$t/etc/kubernetes/kubelet.yaml"
  else
    printf '%s\n' 'nodeStatusUpdateFrequency: 2s' 'nodeStatusReportFrequency: 5m0s' >>"$t/etc/kubernetes/kubelet.yaml"
  fi
  cat >"$t/etc/kubernetes/kube-proxy.yaml" <<EOF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: /etc/kubernetes/kube-proxy.conf}
mode: iptables
clusterCIDR: 10.244.0.0/16
hostnameOverride: $2
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
EOF
  $alone || echo 'conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}' \
    >>"$t/etc/kubernetes/kube-proxy.yaml"
  local old=() environment="Type=simple"
  [ "$minor" -ge 27 ] || old=(--container-runtime=remote
    --container-runtime-endpoint=unix:///run/containerd/containerd.sock "--pod-infra-container-image=$PAUSE_IMAGE")
  [ "$minor" -ge 27 ] || environment=$'Type=simple\nEnvironment=AWS_EC2_METADATA_DISABLED=true'
  unit "$t" kubelet "Kubernetes node agent" \
    "network-online.target containerd.service kubernetes-network.service" "$environment" \
    $bin/kubelet --config=/etc/kubernetes/kubelet.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \
    --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --cert-dir=/var/lib/kubelet/pki \
    "--hostname-override=$2" "--node-ip=$3" "${old[@]}"
  unit "$t" kube-proxy "Kubernetes service proxy" network-online.target Type=simple \
    $bin/kube-proxy --config=/etc/kubernetes/kube-proxy.yaml
  cat >"$t/etc/kubernetes/network.sh" <<EOF
#!/bin/sh -e
rule() { t=\$1; c=\$2; shift 2; iptables -w -t \$t -C \$c "\$@" 2>/dev/null || iptables -w -t \$t -A \$c "\$@"; }
ip route replace $6 via $7
rule nat POSTROUTING -s 10.244.0.0/16 -d 224.0.0.0/4 -j RETURN
rule nat POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
rule filter FORWARD -s 10.244.0.0/16 -j ACCEPT
rule filter FORWARD -d 10.244.0.0/16 -j ACCEPT
EOF
  chmod 755 "$t/etc/kubernetes/network.sh"
  cat >"$t/etc/systemd/system/kubernetes-network.service" <<EOF
[Unit]
Description=Routes between the pods of this cluster
After=network-online.target
Wants=network-online.target
Before=kubelet.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/kubernetes/network.sh
[Install]
WantedBy=multi-user.target
EOF
  cat >"$t/etc/cni/net.d/10-kubernetes.conflist" <<EOF
{"cniVersion": "0.4.0", "name": "kubernetes", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$5"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF
}
x=$work/cp y=$work/w
node_files "$x" "$cp_name" "$cp" https://127.0.0.1:6443 10.244.0.0/24 10.244.1.0/24 "$w"
node_files "$y" "$w_name" "$w" "https://$cp:6443" 10.244.1.0/24 10.244.0.0/24 "$cp"

# --- the control plane's files

mkdir -p "$x$pki/etcd"
cp "$c/etcd-ca.crt" "$x$pki/etcd/ca.crt"
for n in server peer; do cp "$c/etcd-$n.crt" "$x$pki/etcd/$n.crt"; cp "$c/etcd-$n.key" "$x$pki/etcd/$n.key"; done
for n in apiserver apiserver-kubelet-client apiserver-etcd-client front-proxy-client; do
  cp "$c/$n.crt" "$c/$n.key" "$x$pki/"
done
cp "$c/ca.key" "$c/front-proxy-ca.crt" "$c/sa.pub" "$c/sa.key" "$x$pki/"
kubeconfig https://127.0.0.1:6443 system:kube-controller-manager controller-manager >"$x/etc/kubernetes/controller-manager.conf"
kubeconfig https://127.0.0.1:6443 system:kube-scheduler scheduler >"$x/etc/kubernetes/scheduler.conf"
kubeconfig https://127.0.0.1:6443 kubernetes-admin admin >"$x/etc/kubernetes/admin.conf"
cat >"$x/etc/kubernetes/encryption.yaml" <<EOF
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources: [{resources: [secrets], providers: [{secretbox: {keys: [{name: key1, secret: $(openssl rand -base64 32)}]}}, {identity: {}}]}]
EOF
cat >"$x/etc/kubernetes/audit-policy.yaml" <<'EOF'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, nonResourceURLs: [/healthz*, /livez*, /readyz*, /version]}
- {level: None, resources: [{group: '', resources: [events]}]}
- {level: None, resources: [{group: events.k8s.io, resources: [events]}]}
- {level: None, verbs: [get, list, watch, update, patch], resources: [{group: coordination.k8s.io, resources: [leases]}]}
- {level: None, userGroups: ['system:nodes'], verbs: [watch]}
- {level: Metadata, resources: [{group: '', resources: [secrets, serviceaccounts/token]}]}
- {level: None, users: ['system:apiserver', 'system:kube-controller-manager', 'system:kube-proxy', 'system:kube-scheduler'], verbs: [get, list, watch]}
- {level: None, userGroups: ['system:serviceaccounts:kube-system'], verbs: [get, list, watch]}
- {level: None, userGroups: ['system:nodes'], verbs: [get, list]}
- {level: None, userGroups: ['system:nodes'], verbs: [update, patch], resources: [{group: '', resources: [nodes, nodes/status, pods/status]}]}
- {level: Request, verbs: [create, update, patch, delete, deletecollection], resources: [{group: '', resources: [namespaces, nodes, resourcequotas, limitranges]}, {group: rbac.authorization.k8s.io, resources: [roles, rolebindings, clusterroles, clusterrolebindings]}, {group: policy, resources: [podsecuritypolicies]}, {group: scheduling.k8s.io, resources: [priorityclasses]}, {group: admissionregistration.k8s.io, resources: [mutatingwebhookconfigurations, validatingwebhookconfigurations, validatingadmissionpolicies, validatingadmissionpolicybindings]}]}
- {level: Metadata}
EOF
chmod 600 "$x"/etc/kubernetes/*.conf "$x"/etc/kubernetes/{encryption,audit-policy}.yaml
find "$x$pki" "$y$pki" -name '*.key' -exec chmod 600 {} +
anonymous=--anonymous-auth=false
if [ "$minor" -ge 32 ]; then
  anonymous=--authentication-config=/etc/kubernetes/authentication.yaml
  cat >"$x/etc/kubernetes/authentication.yaml" <<EOF
apiVersion: apiserver.config.k8s.io/$([ "$minor" -ge 34 ] && echo v1 || echo v1beta1)
kind: AuthenticationConfiguration
anonymous: {enabled: true, conditions: [{path: /livez}, {path: /readyz}, {path: /healthz}]}
EOF
fi
cat >"$x/etc/kubernetes/objects/rights.yaml" <<EOF
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
chmod 600 "$x/etc/kubernetes/objects/rights.yaml"
unit "$x" etcd "etcd, the store of the cluster" network-online.target $'Type=notify\nTimeoutStartSec=120' \
  $bin/etcd "--name=$cp_name" --data-dir=/var/lib/etcd \
  "--listen-client-urls=https://$cp:2379,https://127.0.0.1:2379" "--advertise-client-urls=https://$cp:2379" \
  "--listen-peer-urls=https://$cp:2380" "--initial-advertise-peer-urls=https://$cp:2380" \
  "--initial-cluster=$cp_name=https://$cp:2380" "--initial-cluster-token=$CLUSTER" --initial-cluster-state=new \
  --listen-metrics-urls=http://127.0.0.1:2381 --cert-file=$pki/etcd/server.crt --key-file=$pki/etcd/server.key \
  --trusted-ca-file=$pki/etcd/ca.crt --client-cert-auth=true --peer-cert-file=$pki/etcd/peer.crt \
  --peer-key-file=$pki/etcd/peer.key --peer-trusted-ca-file=$pki/etcd/ca.crt --peer-client-cert-auth=true \
  --auto-compaction-mode=periodic --auto-compaction-retention=8h --quota-backend-bytes=8589934592
ciphers=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
ciphers+=,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
ciphers+=,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
unit "$x" kube-apiserver "Kubernetes API server" "network-online.target etcd.service" $'Type=notify\nTimeoutStartSec=180' \
  $bin/kube-apiserver "--advertise-address=$cp" --secure-port=6443 --etcd-servers=https://127.0.0.1:2379 \
  --etcd-cafile=$pki/etcd/ca.crt --etcd-certfile=$pki/apiserver-etcd-client.crt \
  --etcd-keyfile=$pki/apiserver-etcd-client.key --service-cluster-ip-range=10.96.0.0/16 \
  --client-ca-file=$pki/ca.crt --tls-cert-file=$pki/apiserver.crt --tls-private-key-file=$pki/apiserver.key \
  --tls-min-version=VersionTLS12 --tls-cipher-suites=$ciphers --kubelet-certificate-authority=$pki/ca.crt \
  --kubelet-client-certificate=$pki/apiserver-kubelet-client.crt \
  --kubelet-client-key=$pki/apiserver-kubelet-client.key \
  --kubelet-preferred-address-types=InternalIP,Hostname \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --service-account-key-file=$pki/sa.pub --service-account-signing-key-file=$pki/sa.key \
  --requestheader-client-ca-file=$pki/front-proxy-ca.crt --requestheader-allowed-names=front-proxy-client \
  --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
  --requestheader-username-headers=X-Remote-User --proxy-client-cert-file=$pki/front-proxy-client.crt \
  --proxy-client-key-file=$pki/front-proxy-client.key --authorization-mode=Node,RBAC \
  --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true $anonymous \
  --allow-privileged=true --profiling=false --encryption-provider-config=/etc/kubernetes/encryption.yaml \
  --audit-policy-file=/etc/kubernetes/audit-policy.yaml --audit-log-path=/var/log/kubernetes/audit.log --audit-log-mode=batch \
  --audit-log-maxage=30 --audit-log-maxbackup=10 --audit-log-maxsize=100
delegated() {
  local conf=/etc/kubernetes/$1.conf
  echo "--kubeconfig=$conf --authentication-kubeconfig=$conf --authorization-kubeconfig=$conf" \
    "--authentication-skip-lookup=true --client-ca-file=$pki/ca.crt" \
    "--requestheader-client-ca-file=$pki/front-proxy-ca.crt --bind-address=127.0.0.1 --profiling=false" \
    "--leader-elect=true $([ "$minor" -ge 23 ] || echo --port=0)"
}
unit "$x" kube-controller-manager "Kubernetes controller manager" "network-online.target etcd.service" Type=simple \
  $bin/kube-controller-manager $(delegated controller-manager) --allocate-node-cidrs=false \
  --cluster-cidr=10.244.0.0/16 --service-cluster-ip-range=10.96.0.0/16 "--cluster-name=$CLUSTER" \
  --cluster-signing-cert-file=$pki/ca.crt --cluster-signing-key-file=$pki/ca.key --cluster-signing-duration=8760h \
  --root-ca-file=$pki/ca.crt --service-account-private-key-file=$pki/sa.key --use-service-account-credentials=true \
  --controllers=*,bootstrapsigner,tokencleaner --terminated-pod-gc-threshold=1000 \
  --kube-api-qps=100 --kube-api-burst=150 \
  --flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins
unit "$x" kube-scheduler "Kubernetes scheduler" "network-online.target etcd.service" Type=simple \
  $bin/kube-scheduler $(delegated scheduler)

# --- onto the hosts, and start

files() { tar -C "$2" -cf - --owner=0 --group=0 . | on "$1" "tar -C / -xf - --no-overwrite-dir"; }
all $prepare_cp $prepare_w
files "$cp" "$x" & f1=$!; files "$w" "$y" & f2=$!; all $f1 $f2
all $send_cp
on "$cp" bash -s <<EOF & start_cp=$!
set -e
mkdir -p -m 700 /var/lib/etcd /var/log/kubernetes
ln -sf $bin/kubectl /usr/local/bin/kubectl
systemctl daemon-reload
systemctl enable -q etcd kube-apiserver kube-controller-manager kube-scheduler kubernetes-network kubelet kube-proxy
systemctl start etcd
systemctl start --no-block kube-apiserver kube-controller-manager kube-scheduler
systemctl start kubernetes-network
for i in /run/images/*.tar; do ctr -n k8s.io images import \$i >/dev/null; done
rm -rf /run/images
until $kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done
$kubectl apply -f /etc/kubernetes/objects/rights.yaml >/dev/null
rm /etc/kubernetes/objects/rights.yaml
EOF
all $send_w
on "$w" bash -s <<EOF & start_w=$!
set -e
systemctl daemon-reload
systemctl enable -q kubernetes-network kubelet kube-proxy
systemctl start kubernetes-network
for i in /run/images/*.tar; do ctr -n k8s.io images import \$i >/dev/null; done
rm -rf /run/images
EOF
all $start_cp $start_w
on "$cp" systemctl start kubelet kube-proxy & n1=$!; on "$w" systemctl start kubelet kube-proxy & n2=$!
all $n1 $n2

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
master=; [ "$minor" -ge 24 ] || master=node-role.kubernetes.io/master=
on "$cp" bash -s <<EOS
set -e
k="$kubectl"
until \$k get node $cp_name $w_name >/dev/null 2>&1; do sleep 0.2; done
\$k patch node $cp_name -p '{"spec":{"podCIDR":"10.244.0.0/24","podCIDRs":["10.244.0.0/24"]}}' >/dev/null & a=\$!
\$k patch node $w_name -p '{"spec":{"podCIDR":"10.244.1.0/24","podCIDRs":["10.244.1.0/24"]}}' >/dev/null & b=\$!
\$k label --overwrite node $cp_name node-role.kubernetes.io/control-plane= $master >/dev/null & c=\$!
\$k label --overwrite node $w_name node-role.kubernetes.io/worker= >/dev/null & d=\$!
for p in \$a \$b \$c \$d; do wait \$p; done
until \$k wait --for=condition=Ready --timeout=5s node $cp_name $w_name >/dev/null 2>&1; do sleep 0.2; done
until \$k apply -f - >/dev/null 2>&1 <<'EOF'
$(pod "$cp_name" verify-0)
$(pod "$w_name" verify-1)
EOF
do sleep 0.2; done
for p in verify-0 verify-1; do
  until [ "\$(\$k get --raw /api/v1/namespaces/default/pods/\$p:8080/proxy/ 2>/dev/null)" = answers ]; do sleep 0.2; done
done
\$k -n default delete pod verify-0 verify-1 --force --grace-period=0 >/dev/null 2>&1
EOS
